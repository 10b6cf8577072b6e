// SPDX-License-Identifier: MIT
// tokens.tsx -- what programs come in with. A token is shown once, when it is made.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import type { Token } from "../../api/types";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure } from "../../parts/note";
import { Ago, Time } from "../../parts/time";
import { Loading } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { usePoll } from "../../state/poll";
import { TokenMaker } from "./token-maker";

const EVERY = 10_000;

export function Tokens() {
  const notices = useNotices();
  const { data, error, refresh } = usePoll("tokens", service.tokens, EVERY);
  const [making, setMaking] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const revoke = (t: Token): Question => ({
    title: `Revoke ${t.name}?`,
    text: <p>Programs that use it are refused from now on.</p>,
    action: "Revoke token",
    danger: true,
    act: async () => {
      await service.deleteToken(t.id);
      notices.say(`${t.name}: revoked`);
      await refresh();
    },
  });
  const columns: GridColumn<Token>[] = [
    { key: "name", title: "Name", by: (t) => t.name, cell: (t) => <span class="strong">{t.name}</span> },
    { key: "user", title: "User", by: (t) => t.userName ?? null, from: "narrow", cell: (t) => t.userName ?? "–" },
    { key: "role", title: "Role", by: (t) => t.role, cell: (t) => t.role ?? "–" },
    { key: "expires", title: "Expires", by: (t) => t.expiresDateTime ?? null, from: "medium", cell: (t) => (t.expiresDateTime ? <Time at={t.expiresDateTime} /> : "never") },
    { key: "used", title: "Last used", by: (t) => t.lastUsedDateTime ?? null, from: "medium", cell: (t) => <Ago at={t.lastUsedDateTime} /> },
    { key: "act", title: "Actions", number: true, cell: (t) => <div class="row-actions"><Button small kind="quiet" icon="trash" label={`Revoke ${t.name}`} onClick={() => setQuestion(revoke(t))} /></div> },
  ];
  return (
    <section class="panel-plain">
      <div class="section-head">
        <h2>Tokens</h2>
        <Button small icon="plus" onClick={() => setMaking(true)}>
          New token
        </Button>
      </div>
      <Failure error={error} />
      {!data && !error && <Loading what="tokens" />}
      {data && <Grid caption="Tokens" columns={columns} rows={data} rowKey={(t) => t.id} start={{ key: "name", down: false }} empty="No tokens." />}
      {making && <TokenMaker onClose={() => setMaking(false)} onMade={refresh} />}
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </section>
  );
}
