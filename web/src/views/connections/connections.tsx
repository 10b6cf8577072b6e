// SPDX-License-Identifier: MIT
// connections.tsx -- sources by name: address and secret. Whether one answers is asked when somebody wants to know.
import { useState } from "preact/hooks";
import { shown } from "../../api/http";
import * as service from "../../api/service";
import type { Connection } from "../../api/types";
import { typeLabel } from "../../format/source";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure, Note } from "../../parts/note";
import { Empty, Loading, ViewHead } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { usePoll } from "../../state/poll";
import { mayAnywhere, useSession } from "../../state/session";
import { Editor } from "./editor";

const EVERY = 5_000;

type Tested = Record<string, { ok: boolean; message?: string | null; remedy?: string | null }>;

function secretLabel(secret: string): string {
  return secret === "sealed" ? "Sealed" : secret === "none" ? "None" : secret;
}

function useTests() {
  const [tested, setTested] = useState<Tested>({});
  const test = async (c: Connection) => {
    const result = await service.testConnection(c.id).catch((e) => ({ ok: false, message: shown(e).message, remedy: shown(e).remedy }));
    setTested((t) => ({ ...t, [c.id]: result }));
  };
  return { tested, test };
}

export function Connections() {
  const { me } = useSession();
  const notices = useNotices();
  const { data, error, refresh } = usePoll("connections", service.connections, EVERY);
  const { tested, test } = useTests();
  const [editing, setEditing] = useState<Connection | "new" | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const mayChange = mayAnywhere(me, "contributor");
  const remove = (c: Connection): Question => ({
    title: `Delete ${c.displayName}?`,
    text: <p>Address and secret are forgotten. A connection that a mirror uses is not deleted.</p>,
    action: "Delete connection",
    danger: true,
    act: async () => {
      await service.deleteConnection(c.id);
      notices.say(`${c.displayName}: deleted`);
      await refresh();
    },
  });
  const columns: GridColumn<Connection>[] = [
    {
      key: "name", title: "Name", by: (c) => c.displayName,
      cell: (c) => (
        <div class="cell-name">
          <span class="strong">{c.displayName}</span>
          <span class="cell-under">{c.url}</span>
          {tested[c.id] && !tested[c.id]!.ok && <Note tone="error" alert title={tested[c.id]!.message ?? "The source does not answer."} remedy={tested[c.id]!.remedy} />}
        </div>
      ),
    },
    { key: "kind", title: "Source", by: (c) => typeLabel(c.url.split(":")[0]), from: "medium", cell: (c) => typeLabel(c.url.split(":")[0]) },
    { key: "secret", title: "Secret", by: (c) => c.secret, from: "narrow", cell: (c) => secretLabel(c.secret) },
    {
      key: "act", title: "Actions", number: true,
      cell: (c) => (
        <div class="row-actions">
          <span role="status">{tested[c.id]?.ok && <Badge state={{ tone: "ok", label: "Answers" }} />}</span>
          {mayChange && (
            <>
              <Button small onClick={() => test(c)} label={`Test ${c.displayName}`}>
                Test
              </Button>
              <Button small kind="quiet" icon="edit" label={`Change ${c.displayName}`} onClick={() => setEditing(c)} />
              <Button small kind="quiet" icon="trash" label={`Delete ${c.displayName}`} onClick={() => setQuestion(remove(c))} />
            </>
          )}
        </div>
      ),
    },
  ];
  const add = mayChange && (
    <Button kind="primary" icon="plus" onClick={() => setEditing("new")}>
      New connection
    </Button>
  );
  return (
    <>
      <ViewHead title="Connections" at="connections" actions={data?.length ? add : undefined} />
      <Failure error={error} />
      {!data && !error && <Loading what="connections" />}
      {data && data.length === 0 && (
        <Empty title="No connection yet">
          <p>A connection is the address of a source and its secret, which is kept sealed.</p>
          {add}
        </Empty>
      )}
      {data && data.length > 0 && <Grid caption="Connections" columns={columns} rows={data} rowKey={(c) => c.id} start={{ key: "name", down: false }} empty="" />}
      {editing && <Editor connection={editing === "new" ? null : editing} onClose={() => setEditing(null)} onSaved={refresh} />}
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </>
  );
}
