// SPDX-License-Identifier: MIT
// executions.tsx -- every operation on every table, newest first. The newest page is kept fresh; older ones come when asked for.
import { useEffect, useState } from "preact/hooks";
import { shown } from "../../api/http";
import * as service from "../../api/service";
import type { Execution } from "../../api/types";
import { bytes, compact, count, NONE } from "../../format/number";
import { splitName } from "../../format/result";
import { duration, parseTime } from "../../format/time";
import { Badge } from "../../parts/badge";
import { Button } from "../../parts/button";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure } from "../../parts/note";
import { Loading } from "../../parts/view";
import { Time } from "../../parts/time";
import { usePoll } from "../../state/poll";
import type { State } from "../../format/state";
import { useNotices } from "../../state/notices";

const OPERATIONS = ["AddTable", "ReplicatingSchema", "StartSnapshotting", "Snapshotting", "StartReplicating", "Replicating", "StartReseeding", "FailTable", "RemoveTable", "StopTable"];

const PAGE = 50;

/** "StartSnapshotting" -> "Start snapshotting" */
export const operationLabel = (name: string) => name.replace(/(?<=[a-z])([A-Z])/g, (c) => " " + c.toLowerCase());

function outcome(e: Execution): State {
  if (e.errorMessage || e.errorType) return { tone: "error", label: e.errorType === "UserError" ? "User error" : "Error" };
  return { tone: "ok", label: "Done" };
}

function took(e: Execution): number | null {
  const from = parseTime(e.operationStartTime);
  const to = parseTime(e.operationEndTime);
  return from && to ? to.getTime() - from.getTime() : null;
}

/** It comes in whole seconds. */
const latency = (seconds: number | null) => (seconds === null ? NONE : seconds < 1 ? "< 1 s" : duration(seconds * 1000));

const key = (e: Execution) => String(e.id);

function columns(withItem: boolean, withTable: boolean): GridColumn<Execution>[] {
  const all: (GridColumn<Execution> | false)[] = [
    { key: "time", title: "Time", cell: (e) => <Time at={e.timestamp} short /> },
    withItem && { key: "item", title: "Mirror", from: "medium", cell: (e) => e.itemName ?? "–" },
    withTable && { key: "table", title: "Table", cell: (e) => <Table e={e} /> },
    { key: "operation", title: "Operation", ...(withTable ? { from: "narrow" as const } : {}), cell: (e) => <Operation e={e} why={!withTable} /> },
    { key: "outcome", title: "Outcome", from: "narrow", cell: (e) => <Badge state={outcome(e)} /> },
    { key: "rows", title: "Rows", number: true, cell: (e) => <span title={count(e.processedRows)}>{compact(e.processedRows)}</span> },
    { key: "bytes", title: "Bytes", number: true, from: "wide", cell: (e) => bytes(e.processedBytes) },
    { key: "took", title: "Duration", number: true, from: "medium", cell: (e) => duration(took(e)) },
    { key: "latency", title: "Latency", number: true, from: "medium", cell: (e) => latency(e.replicatorBatchLatency) },
  ];
  return all.filter((c): c is GridColumn<Execution> => c !== false);
}

function Operation({ e, why }: { e: Execution; why: boolean }) {
  return (
    <div class="operation">
      <span title={e.operationName}>{operationLabel(e.operationName)}</span>
      {why && e.errorMessage && <span class="cell-under toned error">{e.errorMessage}</span>}
    </div>
  );
}

function Table({ e }: { e: Execution }) {
  return (
    <div class="cell-name">
      <span>{[e.sourceSchemaName, e.sourceTableName].filter(Boolean).join(".") || "–"}</span>
      {e.errorMessage && <span class="cell-under toned error">{e.errorMessage}</span>}
      <span class="cell-state muted">{operationLabel(e.operationName)}</span>
    </div>
  );
}

interface Props {
  /** null: of all mirrors. */
  of: service.MirrorId | null;
  filter: service.ExecutionFilter;
  /** To choose among. */
  mirrors?: readonly (readonly [id: string, name: string])[];
}

export function Executions({ of, filter, mirrors }: Props) {
  const notices = useNotices();
  const [operation, setOperation] = useState("");
  const [item, setItem] = useState("");
  const [table, setTable] = useState("");
  const [older, setOlder] = useState<{ rows: Execution[]; token: string | null } | null>(null);
  const [schema, name] = splitName(table.trim());
  const whole: service.ExecutionFilter = {
    ...filter,
    ...(item ? { item } : {}),
    ...(operation ? { operation } : {}),
    ...(table.trim() ? { schema: schema || undefined, table: name || undefined } : {}),
    maxResults: PAGE,
  };
  const at = JSON.stringify([of, whole]);
  const { data, error } = usePoll(`executions/${at}`, (s) => service.executions(of, whole, s), older ? 0 : undefined);
  useEffect(() => setOlder(null), [at]);
  const token = older ? older.token : (data?.continuationToken ?? null);
  const rows = [...new Map([...(data?.value ?? []), ...(older?.rows ?? [])].map((e) => [key(e), e])).values()];
  const more = async () => {
    try {
      const next = await service.executions(of, { ...whole, continuationToken: token ?? undefined });
      setOlder({ rows: [...(older?.rows ?? data?.value ?? []), ...next.value], token: next.continuationToken ?? null });
    } catch (reason) {
      notices.fail("Older operations did not come", shown(reason));
    }
  };
  return (
    <div class="executions">
      <div class="toolbar">
        {mirrors && (
          <select class="input" aria-label="Mirror" value={item} onChange={(e) => setItem(e.currentTarget.value)}>
            <option value="">All mirrors</option>
            {mirrors.map(([id, label]) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        )}
        <select class="input" aria-label="Operation" value={operation} onChange={(e) => setOperation(e.currentTarget.value)}>
          <option value="">All operations</option>
          {OPERATIONS.map((o) => (
            <option key={o} value={o}>
              {operationLabel(o)}
            </option>
          ))}
        </select>
        {!filter.table && <input class="input" aria-label="Table, as schema.table" placeholder="schema.table" value={table} autocomplete="off" spellcheck={false} onChange={(e) => setTable(e.currentTarget.value)} />}
      </div>
      <Failure error={error} />
      {!data && !error && <Loading what="operations" />}
      {data && <Grid caption="Operations" columns={columns(mirrors !== undefined, !filter.table)} rows={rows} rowKey={key} empty="No such operation is recorded." portion={1000} />}
      {data && token && (
        <div class="more">
          <Button onClick={more}>Show older</Button>
        </div>
      )}
    </div>
  );
}
