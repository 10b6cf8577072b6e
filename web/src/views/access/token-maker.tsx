// SPDX-License-Identifier: MIT
// token-maker.tsx -- the dialog that makes a token and shows it, once.
import { useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { User } from "../../api/types";
import { Button } from "../../parts/button";
import { Copy } from "../../parts/copy";
import { Dialog } from "../../parts/dialog";
import { SelectField, TextField } from "../../parts/field";
import { Failure, Note } from "../../parts/note";
import { useSession } from "../../state/session";
import { ROLES } from "./user-editor";

const LIVES = [["30", "30 days"], ["90", "90 days"], ["365", "A year"], ["", "Never"]] as const;

function Made({ token, onClose }: { token: string; onClose: () => void }) {
  return (
    <div class="dialog-body">
      <Note tone="ok" alert title="Keep it now: it is not shown again." />
      <div class="script">
        <pre tabIndex={0} role="group" aria-label="The token">
          {token}
        </pre>
        <Copy text={token} what="the token" />
      </div>
      <p class="hint">
        Programs send it as <code>Authorization: Bearer …</code>
      </p>
      <footer class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </footer>
    </div>
  );
}

interface Props {
  /** Whose tokens the caller may make, besides its own. */
  users: readonly User[];
  onClose: () => void;
  onMade: () => Promise<void>;
}

export function TokenMaker({ users, onClose, onMade }: Props) {
  const { me } = useSession();
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState<string>("90");
  const [user, setUser] = useState(me.id ?? "");
  const [token, setToken] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const make = async (e: Event) => {
    e.preventDefault();
    if (busy || !name.trim()) return;
    setBusy(true);
    setError(null);
    try {
      const owner = user || (me.id === null ? users[0]?.id : undefined);
      const made = await service.createToken({ name: name.trim(), role, ...(days ? { expiresInDays: Number(days) } : {}), ...(owner && owner !== me.id ? { userId: owner } : {}) });
      setToken(made.token);
      await onMade();
    } catch (reason) {
      setError(shown(reason));
    }
    setBusy(false);
  };
  return (
    <Dialog title="New token" onClose={onClose}>
      {token !== null ? (
        <Made token={token} onClose={onClose} />
      ) : (
        <form class="dialog-body" onSubmit={make} noValidate>
          {me.id === null && users.length === 0 && <Note tone="warn" title="A token is a user's, and there is no user yet." remedy="make a user first" />}
          <TextField label="Name" value={name} onInput={setName} hint="What it is for, as terraform." required />
          {users.length > 0 && <SelectField label="User" value={user || users[0]!.id} options={users.map((u) => [u.id, u.name])} onChange={setUser} />}
          <SelectField label="May do at most" value={role} options={ROLES.filter(([r]) => r !== "")} onChange={setRole} />
          <SelectField label="Expires in" value={days} options={LIVES} onChange={setDays} />
          <Failure error={error} />
          <footer class="dialog-foot">
            <Button onClick={onClose}>Cancel</Button>
            <Button type="submit" kind="primary" busy={busy} disabled={!name.trim()}>
              Make token
            </Button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}
