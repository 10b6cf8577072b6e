// SPDX-License-Identifier: MIT
// grid.tsx -- a table that can be sorted. Columns of less weight step back where there is little room; many rows come in portions.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { plural } from "../format/number";
import { Button } from "./button";

export interface GridColumn<R> {
  key: string;
  title: string;
  cell: (row: R) => ComponentChildren;
  /** What it is sorted by; without it, it is not. */
  by?: (row: R) => string | number | null;
  number?: boolean;
  /** Shown from this width on. */
  from?: "narrow" | "medium" | "wide";
  /** What the title means. */
  help?: string;
}

export interface Sorting {
  key: string;
  down: boolean;
}

type Value = string | number | null;

/** What is not known comes last, whichever way. */
export function compare(a: Value, b: Value, down: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return down ? -order : order;
}

export function sorted<R>(rows: readonly R[], columns: readonly GridColumn<R>[], sorting: Sorting | null): readonly R[] {
  const by = sorting && columns.find((c) => c.key === sorting.key)?.by;
  return by ? [...rows].sort((a, b) => compare(by(a), by(b), sorting.down)) : rows;
}

interface Props<R> {
  caption: string;
  columns: readonly GridColumn<R>[];
  rows: readonly R[];
  rowKey: (row: R) => string;
  start?: Sorting;
  empty: ComponentChildren;
  portion?: number;
  /** The first column names its row. */
  named?: boolean;
}

export function Grid<R>({ caption, columns, rows, rowKey, start, empty, portion = 100, named = true }: Props<R>) {
  const [sorting, setSorting] = useState<Sorting | null>(start ?? null);
  const [most, setMost] = useState(portion);
  if (!rows.length) return <div class="empty-rows">{empty}</div>;
  const all = sorted(rows, columns, sorting);
  const toggle = (key: string, number: boolean) => setSorting((s) => (s?.key === key ? { key, down: !s.down } : { key, down: number }));
  return (
    <>
      <div class="grid-frame" tabIndex={0} role="region" aria-label={caption}>
        <table class="grid">
          <caption class="offscreen">{caption}</caption>
          <thead>
            <tr>
              {columns.map((c) => (
                <Head key={c.key} column={c} sorting={sorting?.key === c.key ? sorting : null} onSort={() => toggle(c.key, c.number ?? false)} />
              ))}
            </tr>
          </thead>
          <tbody>
            {all.slice(0, most).map((row) => (
              <tr key={rowKey(row)}>
                {columns.map((c, i) => (
                  <Cell key={c.key} column={c} head={named && i === 0} row={row} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {all.length > most && (
        <div class="more">
          <span class="muted">{plural(all.length - most, "more row")}</span>
          <Button small onClick={() => setMost(most + portion)}>
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

const classOf = <R,>(c: GridColumn<R>) => [c.number ? "number" : "", c.from ? `from-${c.from}` : ""].filter(Boolean).join(" ");

function Head<R>({ column: c, sorting, onSort }: { column: GridColumn<R>; sorting: Sorting | null; onSort: () => void }) {
  const order = sorting ? (sorting.down ? "descending" : "ascending") : undefined;
  return (
    <th scope="col" class={classOf(c)} aria-sort={order} title={c.help}>
      {c.by ? (
        <button type="button" class="sort" onClick={onSort}>
          {c.title}
          <span class="sort-mark" aria-hidden="true">
            {sorting ? (sorting.down ? "▾" : "▴") : ""}
          </span>
        </button>
      ) : (
        c.title
      )}
    </th>
  );
}

function Cell<R>({ column: c, head, row }: { column: GridColumn<R>; head: boolean; row: R }) {
  return head ? (
    <th scope="row" class={classOf(c)}>
      {c.cell(row)}
    </th>
  ) : (
    <td class={classOf(c)}>{c.cell(row)}</td>
  );
}
