// SPDX-License-Identifier: MIT
// types.ts -- what the service answers, as its REST has it. Enumerations are open: unknown names are shown as they are.

export type Role = "viewer" | "contributor" | "admin";

export interface Page<T> {
  value: T[];
  continuationToken?: string | null;
}

export interface Trouble {
  errorCode?: string;
  code?: string;
  message?: string;
  remedy?: string | null;
}

export interface Me {
  id: string | null;
  name: string | null;
  role: Role | "" | null;
  workspaces?: Record<string, Role>;
  /** By name and password: can be ended. */
  session?: boolean;
  /** Nobody is known, and a name and password would help. */
  login: boolean;
}

export interface Workspace {
  id: string;
  displayName: string;
  description?: string;
}

export interface MirrorRow {
  id: string;
  displayName: string;
  workspaceId: string;
  workspaceName: string;
  status: string;
  error: Trouble | null;
  sourceType: string | null;
  lag_ms: number | null;
  rowsReplicated: number | null;
  tables: number;
  failed: number;
  warnings: number;
  lastCompletedDateTime: string | null;
}

export interface Warning {
  code: string;
  column?: string | null;
  count?: number | null;
  message?: string | null;
  remedy?: string | null;
}

export interface Health {
  score: number;
  files: number;
  average_bytes: number;
  deleted_share: number;
  log_tail: number;
}

export interface TableRow {
  name: string;
  schema: string;
  table: string;
  status: string;
  rows_replicated: number | null;
  rows_processed: number | null;
  bytes_processed: number | null;
  last_completed: string | null;
  latency_ms: number | null;
  health: Health | null;
  reason: string | null;
  remedy: string | null;
  warnings: Warning[];
}

export interface SourceLog {
  retained_bytes: number | null;
  limit_bytes?: number | null;
  safe_bytes?: number | null;
  wal_status?: string | null;
  level?: string | null;
  reason?: string | null;
  remedy?: string | null;
}

export interface Progress {
  rows: number | null;
  rows_total: number | null;
  bytes: number | null;
  rows_per_second: number | null;
  bytes_per_second: number | null;
  seconds_left: number | null;
}

export interface Monitor {
  id: string;
  displayName: string;
  workspaceId: string;
  status: string;
  error: Trouble | null;
  owner: { id: string; name: string } | null;
  source: {
    type: string | null;
    connection: { id: string; displayName: string; url: string } | null;
    database?: string | null;
  };
  lake: string | null;
  pid: number | null;
  startedDateTime: string | null;
  restarts: number | null;
  lag_ms: number | null;
  epoch: number | null;
  position: string | null;
  snapshot?: Progress | null;
  waiting?: { reason: string | null; remedy: string | null } | null;
  sourceLog?: SourceLog | null;
  tables: TableRow[];
}

export type Samples = (number | null)[];

export interface Series {
  times: number[];
  lagMs: Samples;
  latencyMs: Samples;
  rowsPerSecond: Samples;
  bytesPerSecond: Samples;
  retainedBytes: Samples;
}

export interface Column {
  name: string;
  sourceType?: string | null;
  type: unknown;
  nullable: boolean;
  key?: boolean;
}

export interface SchemaChange {
  version?: number | null;
  dateTime: string;
  operation?: string;
  change: string | null;
}

export interface TableDetail extends TableRow {
  folder: string | null;
  columns: Column[];
  schemaHistory: SchemaChange[];
  deltaVersion: number | null;
}

export interface Finding {
  code: string;
  column?: string | null;
  message: string;
  remedy?: string | null;
}

export type Verdict = "ok" | "warning" | "error";

export interface AssessedTable {
  name: string;
  verdict: Verdict;
  findings: Finding[];
}

export interface Assessment {
  source: string;
  findings: Finding[];
  tables: AssessedTable[];
}

export interface Connection {
  id: string;
  displayName: string;
  url: string;
  secret: string;
}

export interface TestResult {
  ok: boolean;
  message?: string | null;
  remedy?: string | null;
}

export interface Execution {
  id: number | string;
  timestamp: string;
  operationName: string;
  itemId: string;
  itemName: string | null;
  workspaceId: string | null;
  workspaceName: string | null;
  operationStartTime: string | null;
  operationEndTime: string | null;
  mirroringSourceType: string | null;
  sourceSchemaName: string | null;
  sourceTableName: string | null;
  processedRows: number | null;
  processedBytes: number | null;
  replicatorBatchLatency: number | null;
  errorType: string | null;
  errorMessage: string | null;
}

export interface QueryResult {
  columns: string[];
  rows: unknown[][];
  truncated: boolean;
  milliseconds: number;
}

export interface User {
  id: string;
  name: string;
  role: Role | "" | null;
  disabled: boolean;
  workspaceRoles?: Record<string, Role>;
}

export interface Token {
  id: string;
  name: string;
  role: Role | "" | null;
  userId?: string | null;
  /** Made by signing in. */
  session?: boolean;
  expiresDateTime?: string | null;
  usedDateTime?: string | null;
}

export interface AuditEntry {
  time?: string | null;
  userName?: string | null;
  action?: string;
  object?: string | null;
  origin?: string | null;
  outcome?: string;
  detail?: string | null;
}
