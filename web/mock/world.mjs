// SPDX-License-Identifier: MIT
// world.mjs -- a made-up service: mirrors in every state, whose figures grow with the clock. What is done to it, it remembers.
import { randomUUID } from "node:crypto";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const uuid = (n) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const iso = (ms) => new Date(ms).toISOString();

export const WS = { main: uuid(1), finance: uuid(2) };

const SHOP = ["customers", "orders", "order_items", "products", "inventory", "payments", "shipments", "reviews"];
const LEDGER = ["accounts", "entries", "invoices", "invoice_lines", "currencies"];

const WARNINGS = {
  payments: [{ code: "out_of_range", column: "settled_at", count: 12, message: "12 values of settled_at are infinity, which no Delta type holds: they are NULL", remedy: "set the policy of column settled_at to clamp or string" }],
  reviews: [{ code: "no_primary_key", column: null, count: null, message: "it has no primary key: its rows are told apart by all their columns, which costs more", remedy: "ALTER TABLE public.reviews ADD PRIMARY KEY (...);" }],
};

const COLUMNS = [
  { name: "id", sourceType: "bigint", type: "long", nullable: false, key: true },
  { name: "customer_id", sourceType: "bigint", type: "long", nullable: false, key: false },
  { name: "status", sourceType: "order_status", type: "string", nullable: true, key: false },
  { name: "total", sourceType: "numeric(12,2)", type: "decimal(12,2)", nullable: true, key: false },
  { name: "attributes", sourceType: "jsonb", type: "string", nullable: true, key: false },
  { name: "tags", sourceType: "text[]", type: { type: "array", elementType: "string", containsNull: true }, nullable: true, key: false },
  { name: "placed_at", sourceType: "timestamp with time zone", type: "timestamp", nullable: true, key: false },
];

function table(schema, name, i, over = {}) {
  return {
    name: `${schema}.${name}`, schema, table: name, identity: String(16_400 + i), status: "Replicating", rate: 3 + ((i * 37) % 90), base: 12_345 * (i + 1),
    health: { score: 96 - ((i * 11) % 40), files: 9 + i, average_bytes: 2_400_000 + i * 90_000, deleted_share: 0.02 * i, log_tail: 14 + i },
    reason: null, remedy: null, warnings: WARNINGS[name] ?? [], ...over,
  };
}

function item(n, displayName, over = {}) {
  return {
    id: uuid(100 + n), displayName, workspaceId: WS.main, connection: uuid(201), type: "GenericPostgreSql", status: "Running", error: null, lag: 180, restarts: 0,
    begun: Date.now() - 26 * HOUR, tables: [], sourceLog: { retained_bytes: 16_777_216 * 3, limit_bytes: 10 * 2 ** 30, safe_bytes: null, wal_status: "reserved", level: "ok", reason: null, remedy: null },
    ...over,
  };
}

const many = (n) => Array.from({ length: n }, (_, i) => table("metrics", `device_${String(i).padStart(4, "0")}`, i % 97, { rate: 0.2 }));

function items() {
  return [
    item(1, "shop", { tables: SHOP.map((n, i) => table("public", n, i)) }),
    item(2, "billing", {
      workspaceId: WS.finance, lag: 14_300, tables: LEDGER.map((n, i) => table("ledger", n, i, n === "entries" ? { status: "Failed", rate: 0, reason: "value of key column amount is NaN, which decimal(18,4) does not hold", remedy: "set the policy of column amount to string, then: resync ledger.entries" } : {})),
      sourceLog: { retained_bytes: 11.4 * 2 ** 30, limit_bytes: 10 * 2 ** 30, safe_bytes: 52 * 2 ** 30, wal_status: "extended", level: "warn", reason: "the source keeps 11.4 GiB of its log for this mirror", remedy: "find what holds the mirror up, or give the source's disk more room" },
    }),
    item(3, "warehouse", { lag: null, begun: Date.now() - 4 * MINUTE, tables: SHOP.slice(0, 5).map((n, i) => table("stock", n, i, i > 1 ? { status: "Snapshotting", warnings: [] } : { warnings: [] })), loading: true }),
    item(4, "crm", { type: "GenericSqlite", connection: uuid(203), status: "Paused", lag: null, sourceLog: null, tables: ["contacts", "companies", "deals"].map((n, i) => table("main", n, i)) }),
    item(5, "archive", { status: "Stopped", lag: null, tables: LEDGER.slice(0, 3).map((n, i) => table("old", n, i)) }),
    item(6, "legacy", { status: "Stopped", lag: null, connection: uuid(202), error: { errorCode: "AUTH", message: "PostgreSQL at legacy.internal:5432/erp: password authentication failed for user \"tain\"", remedy: "check user and password" }, tables: LEDGER.slice(0, 2).map((n, i) => table("erp", n, i)) }),
    item(7, "telemetry", { lag: 420, tables: many(1000) }),
    item(8, "support", { status: "Starting", lag: null, restarts: 7, error: { errorCode: "UNAVAILABLE", message: "PostgreSQL at support.internal:5432: connection refused", remedy: "the other side does not answer; it is tried again" } }),
  ];
}

export function newWorld() {
  return {
    born: Date.now(),
    me: { id: null, name: "owner", role: "admin", workspaces: {}, session: false, login: false },
    workspaces: [{ id: WS.main, displayName: "Main" }, { id: WS.finance, displayName: "Finance" }],
    connections: [
      { id: uuid(201), displayName: "Shop, production", url: "postgresql://tain@db1.internal:5432/shop", secret: "sealed" },
      { id: uuid(202), displayName: "Legacy ERP", url: "postgresql://tain@legacy.internal:5432/erp", secret: "env:ERP_PASSWORD" },
      { id: uuid(203), displayName: "CRM file", url: "sqlite:///srv/crm/crm.db", secret: "none" },
    ],
    items: items(),
    users: [
      { id: uuid(301), name: "ada", role: "admin", disabled: false, workspaceRoles: {} },
      { id: uuid(302), name: "grace", role: "contributor", disabled: false, workspaceRoles: { [WS.finance]: "admin" } },
      { id: uuid(303), name: "hedy", role: "viewer", disabled: true, workspaceRoles: {} },
    ],
    tokens: [
      { id: uuid(401), name: "terraform", role: "contributor", userId: uuid(301), session: false, expiresDateTime: iso(Date.now() + 60 * 24 * HOUR), usedDateTime: iso(Date.now() - 5 * MINUTE) },
      { id: uuid(402), name: "grafana", role: "viewer", userId: uuid(302), session: false, expiresDateTime: null, usedDateTime: null },
    ],
    calls: [],
    definitions: new Map(),
  };
}

// --- what grows with the clock ---

const runs = (i) => i.status === "Running";
const wave = (now, period, phase) => (1 + Math.sin((now / period) * 2 * Math.PI + phase)) / 2;

export function lagOf(i, now = Date.now()) {
  return runs(i) && i.lag !== null ? Math.round(i.lag * (0.6 + 0.8 * wave(now, 47_000, i.displayName.length) + 0.3 * wave(now, 7_000, 1))) : null;
}

export function rowOf(i, t, now = Date.now()) {
  const seconds = ((i.stopped ?? now) - i.begun) / 1000;
  const rows = t.base + Math.floor(t.rate * (runs(i) ? seconds : 600));
  const { rate, base, ...rest } = t;
  return { ...rest, rows_replicated: rows, rows_processed: rows, bytes_processed: rows * 61, latency_ms: t.status === "Replicating" ? 40 + (t.base % 300) : null, last_completed: iso(runs(i) && t.status === "Replicating" ? now - (t.base % 9000) : i.begun + 10 * MINUTE) };
}

export function summaryOf(world, i) {
  const rows = i.tables.map((t) => rowOf(i, t));
  return {
    id: i.id, displayName: i.displayName, workspaceId: i.workspaceId, workspaceName: world.workspaces.find((w) => w.id === i.workspaceId)?.displayName ?? "", status: i.status, error: i.error,
    sourceType: i.type, lag_ms: lagOf(i), rowsReplicated: rows.reduce((n, r) => n + r.rows_replicated, 0), tables: rows.length, failed: rows.filter((r) => r.status === "Failed").length,
    warnings: rows.reduce((n, r) => n + r.warnings.length, 0) + (i.sourceLog?.level === "warn" ? 1 : 0), lastCompletedDateTime: rows.map((r) => r.last_completed).sort().pop() ?? null,
  };
}

export function monitorOf(world, i) {
  const now = Date.now();
  const c = world.connections.find((x) => x.id === i.connection);
  const done = Math.min(0.97, 0.31 + ((now - world.born) / MINUTE) * 0.1);
  const progress = { rows: Math.floor(8e6 * done), rows_total: 8e6, bytes: Math.floor(9.1e8 * done), rows_per_second: 41_300, bytes_per_second: 4.7e6, seconds_left: Math.floor((8e6 * (1 - done)) / 41_300) };
  return {
    id: i.id, displayName: i.displayName, workspaceId: i.workspaceId, status: i.status, error: i.error, owner: i.owner ?? null, source: { type: i.type, connection: c ? { id: c.id, displayName: c.displayName, url: c.url } : null, database: "shop" },
    lake: `/var/lib/tain/lakes/main/${i.displayName}.MirroredDatabase`, pid: runs(i) ? 4242 : 0, startedDateTime: runs(i) ? iso(i.begun) : null, restarts: i.restarts, lag_ms: lagOf(i, now),
    epoch: runs(i) ? Math.floor((now - i.begun) / 500) : 812, position: "0/5A3C91F8", ...(i.loading && runs(i) ? { snapshot: progress } : {}), sourceLog: i.sourceLog, tables: i.tables.map((t) => rowOf(i, t, now)),
  };
}

export function seriesOf(i, minutes) {
  const now = Math.floor(Date.now() / 10_000) * 10_000;
  const times = Array.from({ length: Math.min(minutes, 120) * 6 }, (_, n) => now - (minutes * 6 - 1 - n) * 10_000);
  const live = (f) => times.map((t) => (runs(i) && t > i.begun ? f(t) : null));
  const rate = i.tables.reduce((n, t) => n + t.rate, 0);
  const rows = (t) => Math.round(rate * (0.5 + wave(t, 900_000, 2) + 0.4 * wave(t, 61_000, 0) + 0.2 * wave(t, 17_000, 4)));
  return {
    times: times.map((t) => t / 1000), lagMs: live((t) => lagOf(i, t)), latencyMs: live((t) => Math.round(60 + 150 * wave(t, 300_000, 1) + 90 * wave(t, 31_000, 0))),
    rowsPerSecond: live(rows), bytesPerSecond: live((t) => rows(t) * 61), retainedBytes: live((t) => (i.sourceLog ? Math.round(i.sourceLog.retained_bytes * (0.8 + 0.4 * wave(t, 700_000, 0))) : null)),
  };
}

export function detailOf(world, i, t) {
  const change = (hours, text) => ({ dateTime: iso(i.begun - hours * HOUR), operation: text ? "ReplicatingSchema" : "AddTable", change: text });
  return {
    ...rowOf(i, t), folder: `Tables/${t.schema}/${t.table}`, columns: COLUMNS, deltaVersion: 4211,
    schemaHistory: [change(2, "column tags added: array<string>"), change(31, "column total: decimal(10,2) became decimal(12,2)"), change(96, null)],
  };
}

const OPERATIONS = ["Replicating", "Replicating", "Replicating", "Snapshotting", "StartReplicating", "StartSnapshotting", "ReplicatingSchema", "AddTable"];

export function executionsOf(world, filter) {
  const rows = [];
  for (let n = 0; n < 240; n++) {
    const i = world.items[n % 3];
    const t = i.tables[(n * 7) % i.tables.length];
    const failed = n % 41 === 40;
    const at = world.born - n * 10_000;
    rows.push({
      id: 10_000 - n, timestamp: iso(at), operationName: failed ? "FailTable" : OPERATIONS[n % OPERATIONS.length], itemId: i.id, itemName: i.displayName, workspaceId: i.workspaceId, workspaceName: "Main",
      operationStartTime: iso(at - 10_000), operationEndTime: iso(at), mirroringSourceType: i.type, sourceSchemaName: t.schema, sourceTableName: t.table, processedRows: failed ? null : (n * 137) % 900,
      processedBytes: failed ? null : ((n * 137) % 900) * 61, replicatorBatchLatency: failed ? null : (n % 4) / 2, errorType: failed ? "UserError" : null, errorMessage: failed ? "value of key column amount is NaN" : null,
    });
  }
  const same = (a, b) => !b || a === b;
  return rows.filter((r) => same(r.itemId, filter.item) && same(r.sourceSchemaName, filter.schema) && same(r.sourceTableName, filter.table) && same(r.operationName, filter.operation));
}

export function assessmentOf(connection) {
  const ok = (name) => ({ name, verdict: "ok", findings: [] });
  return {
    source: connection.url,
    findings: connection.url.startsWith("postgres") ? [{ code: "no_event_triggers", column: null, message: "the role is no superuser: schema changes are noticed with the next change of a row", remedy: "ALTER ROLE tain SUPERUSER;" }] : [],
    tables: [
      ...SHOP.filter((n) => !WARNINGS[n]).map((n) => ok(`public.${n}`)),
      { name: "public.payments", verdict: "warning", findings: [{ code: "out_of_range", column: "settled_at", message: "infinity and years above 9999 become NULL, and are counted", remedy: "set the policy of the column to clamp or string" }] },
      { name: "public.reviews", verdict: "warning", findings: [{ code: "no_primary_key", column: null, message: "it has no primary key: its rows are told apart by all their columns, which costs more", remedy: "ALTER TABLE public.reviews ADD PRIMARY KEY (...);" }] },
      { name: "public.sessions", verdict: "error", findings: [{ code: "unlogged", column: null, message: "it is unlogged: its changes are not in the server's log", remedy: "ALTER TABLE public.sessions SET LOGGED;" }] },
      { name: "public.daily_sales", verdict: "error", findings: [{ code: "not_a_table", column: null, message: "it is a materialized view: its content is not in this server's log", remedy: "mirror the tables it is made of" }] },
    ],
  };
}

export function addItem(world, ws, displayName, definition) {
  const mounted = definition.properties?.mountedTables?.map((m) => m.source.typeProperties) ?? SHOP.map((n) => ({ schemaName: "public", tableName: n }));
  const made = item(900 + world.items.length, displayName, {
    id: randomUUID(), workspaceId: ws, status: "Initialized", lag: null, begun: Date.now(), connection: definition.properties?.source?.typeProperties?.connection ?? null,
    type: definition.properties?.source?.type, tables: mounted.map((m, i) => table(m.schemaName, m.tableName, i, { base: 0 })),
  });
  world.items.push(made);
  world.definitions.set(made.id, definition);
  return made;
}
