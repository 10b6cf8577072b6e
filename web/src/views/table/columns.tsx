// SPDX-License-Identifier: MIT
// columns.tsx -- what each column is in the source, and what it became in the lake.
import type { Column } from "../../api/types";
import { Grid, type GridColumn } from "../../parts/grid";
import { Icon } from "../../parts/icon";

/** A nested type is an object: as Delta's own text has it, array<string>. */
export function typeText(type: unknown): string {
  if (typeof type === "string") return type;
  const t = (type ?? {}) as Record<string, unknown>;
  if (t["type"] === "array") return `array<${typeText(t["elementType"])}>`;
  if (t["type"] === "map") return `map<${typeText(t["keyType"])}, ${typeText(t["valueType"])}>`;
  if (t["type"] === "struct") return `struct<${((t["fields"] as Record<string, unknown>[]) ?? []).map((f) => `${String(f["name"])}: ${typeText(f["type"])}`).join(", ")}>`;
  return JSON.stringify(type);
}

const COLUMNS: readonly GridColumn<Column>[] = [
  {
    key: "name",
    title: "Column",
    cell: (c) => (
      <span class="column-name">
        {c.name}
        {c.key && (
          <span class="key" title="Part of the key">
            <Icon name="key" size={14} />
            <span class="offscreen">key</span>
          </span>
        )}
      </span>
    ),
  },
  { key: "source", title: "In the source", cell: (c) => (c.sourceType ? <code>{c.sourceType}</code> : <span class="muted">–</span>) },
  { key: "type", title: "In the lake", cell: (c) => <code>{typeText(c.type)}</code> },
  { key: "nullable", title: "May be NULL", from: "narrow", cell: (c) => (c.nullable ? "yes" : "no") },
];

export function Columns({ columns }: { columns: readonly Column[] }) {
  const shown = columns.some((c) => c.sourceType) ? COLUMNS : COLUMNS.filter((c) => c.key !== "source");
  return (
    <section class="panel-plain">
      <h2>Columns</h2>
      <Grid caption="Columns" columns={shown} rows={columns} rowKey={(c) => c.name} empty="Not known before the table is loaded." portion={200} />
    </section>
  );
}
