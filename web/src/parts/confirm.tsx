// SPDX-License-Identifier: MIT
// confirm.tsx -- asks before what cannot be taken back; for the worst, the name has to be typed.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type ApiError, shown } from "../api/http";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { TextField } from "./field";
import { Failure } from "./note";

export interface Question {
  title: string;
  text: ComponentChildren;
  action: string;
  danger?: boolean;
  /** Has to be typed. */
  typed?: string;
  /** The dialog closes when it is done; an error is shown in it. */
  act: () => Promise<unknown>;
}

export function Confirm({ question: q, onClose }: { question: Question; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const ready = !q.typed || typed.trim() === q.typed;
  const submit = async (e: Event) => {
    e.preventDefault();
    if (busy || !ready) return;
    setBusy(true);
    setError(null);
    try {
      await q.act();
      onClose();
    } catch (reason) {
      setError(shown(reason));
      setBusy(false);
    }
  };
  return (
    <Dialog title={q.title} onClose={onClose}>
      <form class="dialog-body" onSubmit={submit}>
        <div class="prose">{q.text}</div>
        {q.typed && <TextField label={`Type ${q.typed} to confirm`} value={typed} onInput={setTyped} />}
        <Failure error={error} />
        <footer class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={q.danger ? "danger" : "primary"} busy={busy} disabled={!ready}>
            {q.action}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
