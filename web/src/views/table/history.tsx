// SPDX-License-Identifier: MIT
// history.tsx -- how the table's shape changed, newest first.
import type { SchemaChange } from "../../api/types";
import { count } from "../../format/number";
import { Time } from "../../parts/time";

export function History({ changes }: { changes: readonly SchemaChange[] }) {
  return (
    <section class="panel-plain">
      <h2>Schema changes</h2>
      {changes.length === 0 && <p class="muted">None since the table was made.</p>}
      <ol class="history">
        {[...changes]
          .sort((a, b) => b.version - a.version)
          .map((c) => (
            <li key={c.version}>
              <span class="history-change">{c.change}</span>
              <span class="muted">
                <Time at={c.dateTime} /> · version {count(c.version)}
              </span>
            </li>
          ))}
      </ol>
    </section>
  );
}
