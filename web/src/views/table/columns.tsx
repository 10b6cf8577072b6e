// SPDX-License-Identifier: MIT
// columns.tsx -- what each column is in the source, and what it became in the lake.
import type { Column } from "../../api/types";
import { Grid, type GridColumn } from "../../parts/grid";
import { Icon } from "../../parts/icon";

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
  { key: "type", title: "In the lake", cell: (c) => <code>{c.type}</code> },
  { key: "nullable", title: "May be NULL", from: "narrow", cell: (c) => (c.nullable ? "yes" : "no") },
];

export function Columns({ columns }: { columns: readonly Column[] }) {
  return (
    <section class="panel-plain">
      <h2>Columns</h2>
      <Grid caption="Columns" columns={COLUMNS} rows={columns} rowKey={(c) => c.name} empty="Not known before the table is loaded." portion={200} />
    </section>
  );
}
