// SPDX-License-Identifier: MIT
// list.tsx -- the table of mirrors.
import type { MirrorRow } from "../../api/types";
import { compact, count } from "../../format/number";
import { typeLabel } from "../../format/source";
import { lagTone, rowState } from "../../format/state";
import { duration } from "../../format/time";
import { Badge, Toned } from "../../parts/badge";
import { Grid, type GridColumn } from "../../parts/grid";
import { Ago } from "../../parts/time";
import { hrefOf } from "../../state/route";

const TROUBLE = { error: 0, warn: 1, busy: 2, off: 3, ok: 4 };

const COLUMNS: readonly GridColumn<MirrorRow>[] = [
  { key: "name", title: "Name", by: (m) => m.displayName, cell: (m) => <Name mirror={m} /> },
  { key: "status", title: "Status", by: (m) => TROUBLE[rowState(m).tone], from: "narrow", cell: (m) => <Badge state={rowState(m)} title={m.status} /> },
  { key: "source", title: "Source", by: (m) => typeLabel(m.sourceType), from: "medium", cell: (m) => typeLabel(m.sourceType) },
  { key: "lag", title: "Lag", number: true, by: (m) => m.lag_ms, help: "How old the newest change is that the source has and the lake has not", cell: (m) => <Lag mirror={m} /> },
  { key: "rows", title: "Rows replicated", number: true, by: (m) => m.rowsReplicated, from: "medium", cell: (m) => <span title={count(m.rowsReplicated)}>{compact(m.rowsReplicated)}</span> },
  { key: "tables", title: "Tables", number: true, by: (m) => m.tables, from: "wide", cell: (m) => count(m.tables) },
  { key: "warnings", title: "Warnings", number: true, by: (m) => m.failed * 1000 + m.warnings, from: "narrow", cell: (m) => <Trouble mirror={m} /> },
  { key: "completed", title: "Last completed", by: (m) => m.lastCompletedDateTime, from: "medium", cell: (m) => <Ago at={m.lastCompletedDateTime} /> },
];

function Name({ mirror: m }: { mirror: MirrorRow }) {
  return (
    <div class="cell-name">
      <a href={hrefOf({ view: "mirror", ws: m.workspaceId, id: m.id, tab: "tables" })}>{m.displayName}</a>
      <span class="cell-under">{m.workspaceName}</span>
      <span class="cell-state">
        <Badge state={rowState(m)} />
      </span>
    </div>
  );
}

function Lag({ mirror: m }: { mirror: MirrorRow }) {
  if (m.status !== "Running" || m.lag_ms === null) return <span class="muted">–</span>;
  return <Toned tone={lagTone(m.lag_ms)}>{duration(m.lag_ms)}</Toned>;
}

function Trouble({ mirror: m }: { mirror: MirrorRow }) {
  if (!m.failed && !m.warnings) return <span class="muted">0</span>;
  return (
    <>
      {m.failed > 0 && <Toned tone="error">{m.failed} failed</Toned>}
      {m.failed > 0 && m.warnings > 0 && ", "}
      {m.warnings > 0 && <Toned tone="warn">{count(m.warnings)}</Toned>}
    </>
  );
}

export function MirrorList({ rows }: { rows: readonly MirrorRow[] }) {
  return <Grid caption="Mirrored databases" columns={COLUMNS} rows={rows} rowKey={(m) => m.id} start={{ key: "name", down: false }} empty="No mirror matches." />;
}
