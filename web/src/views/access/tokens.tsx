// SPDX-License-Identifier: MIT
// tokens.tsx -- what programs come in with. A token is shown once, when it is made.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import type { Token, User } from "../../api/types";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure } from "../../parts/note";
import { Ago, Time } from "../../parts/time";
import { Loading } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { usePoll } from "../../state/poll";
import { useSession } from "../../state/session";
import { TokenMaker } from "./token-maker";

const EVERY = 5_000;
const SESSION = "signed in";
const nameOf = (t: Token) => (t.session ? SESSION : t.name);

export function Tokens({ users }: { users: readonly User[] }) {
  const notices = useNotices();
  const { data, error, refresh } = usePoll("tokens", service.tokens, EVERY);
  const { me } = useSession();
  const ownerOf = (t: Token) => users.find((u) => u.id === t.userId)?.name ?? (t.userId === me.id ? me.name : null);
  const [making, setMaking] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const revoke = (t: Token): Question => ({
    title: `Revoke ${nameOf(t)}?`,
    text: <p>{t.session ? "Who signed in by it has to do so again." : "Programs that use it are refused from now on."}</p>,
    action: "Revoke",
    danger: true,
    act: async () => {
      await service.deleteToken(t.id);
      notices.say(`${nameOf(t)}: revoked`);
      await refresh();
    },
  });
  const columns: GridColumn<Token>[] = [
    { key: "name", title: "Name", by: nameOf, cell: (t) => (t.session ? <span class="muted">{SESSION}</span> : <span class="strong">{t.name}</span>) },
    { key: "user", title: "User", by: ownerOf, from: "narrow", cell: (t) => ownerOf(t) ?? "–" },
    { key: "role", title: "Role", by: (t) => t.role, cell: (t) => t.role || "–" },
    { key: "expires", title: "Expires", by: (t) => t.expiresDateTime ?? null, from: "medium", cell: (t) => (t.expiresDateTime ? <Time at={t.expiresDateTime} /> : "never") },
    { key: "used", title: "Last used", by: (t) => t.usedDateTime ?? null, from: "medium", cell: (t) => <Ago at={t.usedDateTime} /> },
    { key: "act", title: "Actions", number: true, cell: (t) => <div class="row-actions"><Button small kind="quiet" icon="trash" label={`Revoke ${nameOf(t)}`} onClick={() => setQuestion(revoke(t))} /></div> },
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
      {making && <TokenMaker users={users} onClose={() => setMaking(false)} onMade={refresh} />}
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </section>
  );
}
