// SPDX-License-Identifier: MIT
// troubles.tsx -- what is wrong with the mirror as a whole, and what to do about it. A table's own trouble stands with the table.
import type { Monitor } from "../../api/types";
import { Note } from "../../parts/note";

export function Troubles({ m }: { m: Monitor }) {
  const log = m.sourceLog;
  const retrying = m.status === "Starting" || m.status === "Running";
  return (
    <div class="troubles">
      {m.error && (
        <Note tone="error" title={m.error.message ?? m.error.errorCode ?? m.error.code ?? "It failed."} remedy={m.error.remedy}>
          {retrying && <p class="muted">It is tried again by itself.</p>}
        </Note>
      )}
      {m.waiting?.reason && <Note tone="busy" title={`Waiting: ${m.waiting.reason}`} remedy={m.waiting.remedy} />}
      {log?.reason && log.level !== "ok" && <Note tone={log.level === "warn" ? "warn" : "error"} title={log.reason} remedy={log.remedy} />}
    </div>
  );
}
