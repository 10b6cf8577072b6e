// SPDX-License-Identifier: MIT
// editor.tsx -- the dialog that makes or changes a connection.
import { useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { Connection } from "../../api/types";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Failure } from "../../parts/note";
import { useNotices } from "../../state/notices";
import { ConnectionFields, type ConnectionForm, editOf, EMPTY_FORM, type SecretKind, wrongForm } from "./form";

/** The form of a connection that is there: its password is not told, a reference is. */
export function formOf(c: Connection): ConnectionForm {
  const m = /^(env|file):(.*)$/.exec(c.secret);
  const secretKind: SecretKind = m ? (m[1] as SecretKind) : c.secret === "none" ? "none" : "password";
  return { name: c.displayName, url: c.url, secretKind, secret: m ? m[2]! : "", keeps: c.secret === "sealed" };
}

interface Props {
  connection: Connection | null;
  onClose: () => void;
  onSaved: () => Promise<void>;
}

export function Editor({ connection, onClose, onSaved }: Props) {
  const notices = useNotices();
  const [form, setForm] = useState(connection ? formOf(connection) : EMPTY_FORM);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const save = async (e: Event) => {
    e.preventDefault();
    setTried(true);
    if (busy || wrongForm(form)) return;
    setBusy(true);
    setError(null);
    try {
      const edit = editOf(form);
      if (connection) await service.changeConnection(connection.id, edit);
      else await service.createConnection(edit);
      notices.say(`${edit.displayName}: saved`);
      await onSaved();
      onClose();
    } catch (reason) {
      setError(shown(reason));
      setBusy(false);
    }
  };
  return (
    <Dialog title={connection ? `Change ${connection.displayName}` : "New connection"} onClose={onClose} wide>
      <form class="dialog-body" onSubmit={save} noValidate>
        <ConnectionFields form={form} onChange={setForm} tried={tried} />
        <Failure error={error} />
        <footer class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Save
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
