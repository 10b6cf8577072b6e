// SPDX-License-Identifier: MIT
// mirrors.tsx -- every mirrored database the caller sees, and whether all is well.
import { useMemo, useState } from "preact/hooks";
import * as service from "../../api/service";
import type { MirrorRow } from "../../api/types";
import { rowState, type Tone } from "../../format/state";
import { Icon } from "../../parts/icon";
import { Failure } from "../../parts/note";
import { matches, Search } from "../../parts/search";
import { Empty, Loading, ViewHead } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { hrefOf } from "../../state/route";
import { mayAnywhere, useSession } from "../../state/session";
import { MirrorList } from "./list";
import { Summary, type Wanted } from "./summary";

const wants = (w: Wanted, tone: Tone) => w === "all" || (w === "running" ? tone === "ok" : w === "attention" ? tone === "warn" || tone === "error" : tone === "off" || tone === "busy");

function NewMirror() {
  return (
    <a class="button primary" href={hrefOf({ view: "create" })}>
      <Icon name="plus" />
      <span>New mirror</span>
    </a>
  );
}

function First({ may }: { may: boolean }) {
  return (
    <Empty title="Nothing is mirrored yet">
      <p>Name a PostgreSQL or SQLite database, choose its tables, and it is a lake of Delta tables that follows every change within seconds.</p>
      {may && <NewMirror />}
    </Empty>
  );
}

export function Mirrors() {
  const { me } = useSession();
  const { data, error } = usePoll("mirrors", service.mirrors);
  const [words, setWords] = useState("");
  const [wanted, setWanted] = useState<Wanted>("all");
  const mayCreate = mayAnywhere(me, "contributor");
  const rows = useMemo(() => data?.filter((m) => matches(textOf(m), words) && wants(wanted, rowState(m).tone)) ?? [], [data, words, wanted]);
  return (
    <>
      <ViewHead title="Mirrors" at="mirrors" actions={mayCreate && data?.length ? <NewMirror /> : undefined} />
      <Failure error={error} />
      {!data && !error && <Loading what="mirrors" />}
      {data && !data.length && <First may={mayCreate} />}
      {data && data.length > 0 && (
        <>
          <Summary mirrors={data} wanted={wanted} onWant={setWanted} />
          <div class="toolbar">
            <Search label="Search mirrors" value={words} onInput={setWords} />
            <span class="muted" role="status">
              {rows.length === data.length ? "" : `${rows.length} of ${data.length} shown`}
            </span>
          </div>
          <MirrorList rows={rows} />
        </>
      )}
    </>
  );
}

const textOf = (m: MirrorRow) => `${m.displayName} ${m.workspaceName} ${m.status} ${rowState(m).label} ${m.sourceType ?? ""}`;
