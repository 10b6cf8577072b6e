// SPDX-License-Identifier: MIT
// user-editor.tsx -- the dialog that makes or changes a user.
import { useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { Role, User, Workspace } from "../../api/types";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { CheckField, SelectField, TextField } from "../../parts/field";
import { Failure } from "../../parts/note";
import { useNotices } from "../../state/notices";

export const ROLES: readonly (readonly [value: Role | "", label: string])[] = [
  ["", "None"],
  ["viewer", "Viewer: reads"],
  ["contributor", "Contributor: makes, changes and starts mirrors"],
  ["admin", "Admin: users and secrets, too"],
];

interface Props {
  user: User | null;
  workspaces: readonly Workspace[];
  onClose: () => void;
  onSaved: () => Promise<void>;
}

const SHORTEST = 8;

export function UserEditor({ user, workspaces, onClose, onSaved }: Props) {
  const notices = useNotices();
  const [name, setName] = useState(user?.name ?? "");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<string>(user ? (user.role ?? "") : "viewer");
  const [disabled, setDisabled] = useState(user?.disabled ?? false);
  const [inWorkspace, setInWorkspace] = useState<Record<string, string>>(user?.workspaceRoles ?? {});
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const short = password.length > 0 && password.length < SHORTEST;
  const save = async (e: Event) => {
    e.preventDefault();
    if (busy || !name.trim() || short) return;
    setBusy(true);
    setError(null);
    const workspaceRoles = Object.fromEntries(workspaces.map((w) => [w.id, inWorkspace[w.id] || null]));
    const secret = password ? { password } : {};
    try {
      const id = user ? user.id : (await service.createUser({ name: name.trim(), ...secret, ...(role ? { role: role as Role } : {}) })).id;
      const grants = workspaces.some((w) => (inWorkspace[w.id] ?? "") !== (user?.workspaceRoles?.[w.id] ?? "")) ? { workspaceRoles } : {};
      if (user) await service.changeUser(id, { ...secret, disabled, role: role || null, ...grants });
      else if ("workspaceRoles" in grants) await service.changeUser(id, grants);
      notices.say(`${name.trim()}: saved`);
      await onSaved();
      onClose();
    } catch (reason) {
      setError(shown(reason));
      setBusy(false);
    }
  };
  return (
    <Dialog title={user ? `Change ${user.name}` : "New user"} onClose={onClose}>
      <form class="dialog-body" onSubmit={save} noValidate>
        {!user && <TextField label="Name" value={name} onInput={setName} autocomplete="off" required />}
        <TextField label="Password" type="password" autocomplete="new-password" value={password} onInput={setPassword} wrong={short ? `At least ${SHORTEST} characters.` : null} hint={user ? "Left empty, it stays as it is." : "Without one, only tokens let this user in."} />
        <SelectField label="Role in the whole service" value={role} options={ROLES} onChange={setRole} />
        {workspaces.map((w) => (
          <SelectField key={w.id} label={`Role in ${w.displayName}`} value={inWorkspace[w.id] ?? ""} options={ROLES} onChange={(r) => setInWorkspace({ ...inWorkspace, [w.id]: r })} />
        ))}
        {user && <CheckField label="Disabled" hint="Neither the user nor any of its tokens is let in." checked={disabled} onChange={setDisabled} />}
        <Failure error={error} />
        <footer class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={!name.trim() || short}>
            Save
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
