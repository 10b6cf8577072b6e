// SPDX-License-Identifier: MIT
// users.tsx -- people, and what they may do.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import type { User, Workspace } from "../../api/types";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure } from "../../parts/note";
import { Loading } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { type Polled, usePoll } from "../../state/poll";
import { UserEditor } from "./user-editor";

function roles(u: User, workspaces: readonly Workspace[]): string {
  const name = (ws: string) => workspaces.find((w) => w.id === ws)?.displayName ?? ws;
  const some = Object.entries(u.workspaceRoles ?? {}).map(([ws, role]) => `${role} in ${name(ws)}`);
  return [u.role, ...some].filter(Boolean).join(", ") || "none";
}

export function Users({ users: { data, error, refresh } }: { users: Polled<User[]> }) {
  const notices = useNotices();
  const { data: workspaces } = usePoll("users/workspaces", service.workspaces, 0);
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const remove = (u: User): Question => ({
    title: `Delete ${u.name}?`,
    text: <p>The user's roles and tokens go, too. Who owns mirrors is not deleted.</p>,
    action: "Delete user",
    danger: true,
    act: async () => {
      await service.deleteUser(u.id);
      notices.say(`${u.name}: deleted`);
      await refresh();
    },
  });
  const columns: GridColumn<User>[] = [
    { key: "name", title: "Name", by: (u) => u.name, cell: (u) => <span class="strong">{u.name}</span> },
    { key: "roles", title: "Roles", cell: (u) => roles(u, workspaces ?? []) },
    { key: "state", title: "State", by: (u) => Number(u.disabled), from: "narrow", cell: (u) => <Badge state={u.disabled ? { tone: "off", label: "Disabled" } : { tone: "ok", label: "Active" }} /> },
    {
      key: "act", title: "Actions", number: true,
      cell: (u) => (
        <div class="row-actions">
          <Button small kind="quiet" icon="edit" label={`Change ${u.name}`} onClick={() => setEditing(u)} />
          <Button small kind="quiet" icon="trash" label={`Delete ${u.name}`} onClick={() => setQuestion(remove(u))} />
        </div>
      ),
    },
  ];
  return (
    <section class="panel-plain">
      <div class="section-head">
        <h2>Users</h2>
        <Button small icon="plus" onClick={() => setEditing("new")}>
          New user
        </Button>
      </div>
      <Failure error={error} />
      {!data && !error && <Loading what="users" />}
      {data && <Grid caption="Users" columns={columns} rows={data} rowKey={(u) => u.id} start={{ key: "name", down: false }} empty="No users: only the owner on this machine may come in." />}
      {editing && <UserEditor user={editing === "new" ? null : editing} workspaces={workspaces ?? []} onClose={() => setEditing(null)} onSaved={refresh} />}
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </section>
  );
}
