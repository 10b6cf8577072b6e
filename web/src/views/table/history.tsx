// SPDX-License-Identifier: MIT
// history.tsx -- how the table's shape changed, newest first.
import type { SchemaChange } from "../../api/types";
import { count } from "../../format/number";
import { Time } from "../../parts/time";
import { operationLabel } from "../activity/executions";

/** What a record says, or else what kind of record it is. */
const textOf = (c: SchemaChange) => c.change || (c.operation === "AddTable" ? "Table added" : operationLabel(c.operation ?? "Changed"));

export function History({ changes }: { changes: readonly SchemaChange[] }) {
  const newestFirst = [...changes].sort((a, b) => b.dateTime.localeCompare(a.dateTime));
  return (
    <section class="panel-plain">
      <h2>Schema changes</h2>
      {changes.length === 0 && <p class="muted">None is recorded.</p>}
      {changes.length > 0 && (
        <ol class="history">
          {newestFirst.map((c) => (
            <li key={`${c.dateTime}/${c.change}`}>
              <span class="history-change">{textOf(c)}</span>
              <span class="muted">
                <Time at={c.dateTime} />
                {typeof c.version === "number" && ` · version ${count(c.version)}`}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
