// SPDX-License-Identifier: MIT
// tables.tsx -- the tables of a mirror, those in trouble first.
import { useMemo, useState } from "preact/hooks";
import type { MirrorId } from "../../api/service";
import type { Monitor, TableRow } from "../../api/types";
import { bytes, compact, count, plural } from "../../format/number";
import { healthTone, type Tone, tableState } from "../../format/state";
import { duration } from "../../format/time";
import { Badge, Toned } from "../../parts/badge";
import { Grid, type GridColumn } from "../../parts/grid";
import { matches, Search } from "../../parts/search";
import { Ago } from "../../parts/time";
import { hrefOf } from "../../state/route";

const ORDER: Record<Tone, number> = { error: 0, warn: 1, busy: 2, off: 3, ok: 4 };

const SHOWN: readonly [value: string, label: string][] = [
  ["", "All states"],
  ["error", "Failed"],
  ["warn", "With warning"],
  ["busy", "Loading or waiting"],
  ["ok", "Running"],
  ["off", "Paused or stopped"],
];

const HEALTH = "How good the table's files are to read: their number, size, and share of deleted rows";

function Name({ id, t, status }: { id: MirrorId; t: TableRow; status: string }) {
  const why = t.reason ?? t.warnings[0]?.message;
  const more = t.warnings.length - (t.reason ? 0 : 1);
  return (
    <div class="cell-name">
      <a href={hrefOf({ view: "table", ...id, schema: t.schema, table: t.table })}>{t.name}</a>
      {why && why !== "paused" && <span class="cell-under">{more > 0 ? `${why} (and ${plural(more, "more warning")})` : why}</span>}
      <span class="cell-state">
        <Badge state={tableState(t, status)} />
      </span>
    </div>
  );
}

function columns(id: MirrorId, status: string): GridColumn<TableRow>[] {
  const tone = (t: TableRow) => ORDER[tableState(t, status).tone];
  return [
    { key: "name", title: "Name", by: (t) => t.name, cell: (t) => <Name id={id} t={t} status={status} /> },
    { key: "status", title: "Status", by: tone, from: "narrow", cell: (t) => <Badge state={tableState(t, status)} title={t.status} /> },
    { key: "rows", title: "Rows replicated", number: true, by: (t) => t.rows_replicated, cell: (t) => <span title={count(t.rows_replicated)}>{compact(t.rows_replicated)}</span> },
    { key: "bytes", title: "Processed", number: true, by: (t) => t.bytes_processed, from: "wide", cell: (t) => bytes(t.bytes_processed) },
    { key: "completed", title: "Last completed", by: (t) => t.last_completed, from: "narrow", cell: (t) => <Ago at={t.last_completed} /> },
    { key: "latency", title: "Latency", number: true, by: (t) => t.latency_ms, from: "medium", help: "Of the newest change: from its commit in the source to its commit in the lake", cell: (t) => duration(t.latency_ms) },
    { key: "health", title: "Health", number: true, by: (t) => t.health?.score ?? null, from: "medium", help: HEALTH, cell: (t) => (t.health ? <Toned tone={healthTone(t.health.score)}>{t.health.score}</Toned> : "–") },
  ];
}

export function Tables({ id, m }: { id: MirrorId; m: Monitor }) {
  const [words, setWords] = useState("");
  const [shown, setShown] = useState("");
  const cols = useMemo(() => columns(id, m.status), [id.ws, id.id, m.status]);
  const rows = m.tables.filter((t) => matches(t.name, words) && (!shown || tableState(t, m.status).tone === shown));
  return (
    <section aria-labelledby="tables-title">
      <div class="toolbar">
        <h2 id="tables-title">Tables</h2>
        <Search label="Search tables" value={words} onInput={setWords} />
        <select class="input" aria-label="State of tables shown" value={shown} onChange={(e) => setShown(e.currentTarget.value)}>
          {SHOWN.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <span class="muted" role="status">
          {rows.length === m.tables.length ? "" : `${count(rows.length)} of ${count(m.tables.length)} shown`}
        </span>
      </div>
      <Grid caption="Tables of the mirror" columns={cols} rows={rows} rowKey={(t) => t.name} start={{ key: "status", down: false }} empty={m.tables.length ? "No table matches." : "No tables are known yet: they show when the mirror has run."} />
    </section>
  );
}
