// SPDX-License-Identifier: MIT
// service.ts -- every call the page makes, by name. Addresses are relative: the service may stand below a prefix.
import { call, withAllDigits } from "./http";
import type * as T from "./types";

type Signal = AbortSignal | undefined;

const enc = encodeURIComponent;
const get = <R>(path: string, signal?: Signal) => call<R>("GET", path, undefined, signal);
const post = <R = void>(path: string, body: unknown = {}, signal?: Signal) => call<R>("POST", path, body, signal);

export interface MirrorId {
  ws: string;
  id: string;
}

export interface TableId extends MirrorId {
  schema: string;
  table: string;
}

const items = (ws: string) => `v1/workspaces/${enc(ws)}/mirroredDatabases`;
const mirror = (m: MirrorId) => `${items(m.ws)}/${enc(m.id)}`;
const table = (t: TableId) => `${mirror(t)}/tables/${enc(folderName(t.schema))}/${enc(folderName(t.table))}`;

/** A name as the lake's folder of it is called: what cannot be in a path is $ and two digits. */
export function folderName(name: string): string {
  return name.replace(/[\x00-\x1f\x7f/\\%$:*?"<>|]|^[._]/g, (c) => "$" + c.charCodeAt(0).toString(16).padStart(2, "0"));
}

/** key=value&... of what is set. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const pairs = Object.entries(values).filter(([, v]) => v !== undefined && v !== null && v !== "");
  return pairs.length ? "?" + pairs.map(([k, v]) => `${enc(k)}=${enc(String(v))}`).join("&") : "";
}

const MOST_PAGES = 50;

/** A list that comes in pages, whole. */
async function all<R>(path: string, signal?: Signal): Promise<R[]> {
  const rows: R[] = [];
  let token: string | null | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const joint = path.includes("?") ? "&" : "?";
    const answer = await get<T.Page<R>>(token ? `${path}${joint}continuationToken=${enc(token)}` : path, signal);
    rows.push(...answer.value);
    token = answer.continuationToken;
    if (!token) break;
  }
  return rows;
}

export const me = (s?: Signal) => get<T.Me>("v1/me", s);
export const signIn = (name: string, password: string) => post("v1/session", { name, password });
export const signOut = () => call<void>("DELETE", "v1/session");

export const workspaces = (s?: Signal) => all<T.Workspace>("v1/workspaces", s);
export const createWorkspace = (displayName: string) => post<T.Workspace>("v1/workspaces", { displayName });

export const mirrors = (s?: Signal) => all<T.MirrorRow>("v1/mirrors", s);
export const monitor = (m: MirrorId, s?: Signal) => get<T.Monitor>(`${mirror(m)}/monitor`, s);
export const series = (m: MirrorId, minutes: number, s?: Signal) => get<T.Series>(`${mirror(m)}/series?minutes=${minutes}`, s);
export const logs = (m: MirrorId, lines: number, s?: Signal) => get<{ lines: string[] }>(`${mirror(m)}/logs?lines=${lines}`, s);

export const createMirror = (ws: string, displayName: string, definition: object) =>
  post<{ id: string }>(items(ws), { displayName, definition: definitionParts(definition) });
export const renameMirror = (m: MirrorId, displayName: string) => call<void>("PATCH", mirror(m), { displayName });
export const dropMirror = (m: MirrorId) => call<void>("DELETE", mirror(m));
export const start = (m: MirrorId) => post(`${mirror(m)}/startMirroring`);
export const stop = (m: MirrorId) => post(`${mirror(m)}/stopMirroring`);
export const pause = (m: MirrorId) => post(`${mirror(m)}/pauseMirroring`);
export const resume = (m: MirrorId) => post(`${mirror(m)}/resumeMirroring`);
export const resync = (m: MirrorId, tables: string[] | null) => post(`${mirror(m)}/resync`, { tables });
export const transferOwner = (m: MirrorId, userName: string) => post(`${mirror(m)}/transferOwner`, { userName });

export const definition = async (m: MirrorId) => definitionOf(await post<Parts>(`${mirror(m)}/getDefinition`));
export const updateDefinition = (m: MirrorId, d: object) => post(`${mirror(m)}/updateDefinition`, { definition: definitionParts(d) });

export const tableDetail = (t: TableId, s?: Signal) => get<T.TableDetail>(table(t), s);
export const pauseTable = (t: TableId) => post(`${table(t)}/pause`);
export const resumeTable = (t: TableId) => post(`${table(t)}/resume`);
export const resyncTable = (t: TableId) => post(`${table(t)}/resync`);

export const runQuery = (m: MirrorId, sql: string, limit: number, s?: Signal) => call<T.QueryResult>("POST", `${mirror(m)}/query`, { sql, limit }, s, withAllDigits);

export interface ExecutionFilter {
  item?: string | undefined;
  schema?: string | undefined;
  table?: string | undefined;
  operation?: string | undefined;
  continuationToken?: string | undefined;
  maxResults?: number | undefined;
}

/** Of one mirror by its own address, for which a role in its workspace is enough. */
export const executions = (m: MirrorId | null, f: ExecutionFilter, s?: Signal) =>
  get<T.Page<T.Execution>>((m ? `${mirror(m)}/executions` : "v1/executions") + query({ ...f }), s);

export interface ConnectionEdit {
  displayName?: string;
  url?: string;
  secret?: string;
}

export const connections = (s?: Signal) => all<T.Connection>("v1/connections", s);
export const createConnection = (c: ConnectionEdit) => post<T.Connection>("v1/connections", c);
export const changeConnection = (id: string, c: ConnectionEdit) => call<void>("PATCH", `v1/connections/${enc(id)}`, c);
export const deleteConnection = (id: string) => call<void>("DELETE", `v1/connections/${enc(id)}`);
export const testConnection = (id: string, s?: Signal) => post<T.TestResult>(`v1/connections/${enc(id)}/test`, {}, s);
export const assess = (id: string, database: string | null, s?: Signal) =>
  post<T.Assessment>(`v1/connections/${enc(id)}/assess`, database ? { database } : {}, s);

export const users = (s?: Signal) => all<T.User>("v1/users", s);
export const createUser = (u: { name: string; password?: string; role?: T.Role }) => post<{ id: string }>("v1/users", u);
export const changeUser = (id: string, u: object) => call<void>("PATCH", `v1/users/${enc(id)}`, u);
export const deleteUser = (id: string) => call<void>("DELETE", `v1/users/${enc(id)}`);
export const tokens = (s?: Signal) => all<T.Token>("v1/tokens", s);
export const createToken = (t: object) => post<{ id: string; token: string }>("v1/tokens", t);
export const deleteToken = (id: string) => call<void>("DELETE", `v1/tokens/${enc(id)}`);
export const audit = (s?: Signal) => get<T.Page<T.AuditEntry>>("v1/audit?maxResults=200", s);

// --- definitions travel as Fabric has them: parts in base64 ---

interface Parts {
  definition: { parts: { path: string; payload: string; payloadType: string }[] };
}

export function definitionParts(definition: object): object {
  const bytes = new TextEncoder().encode(JSON.stringify(definition, null, 2));
  let text = "";
  for (const b of bytes) text += String.fromCharCode(b);
  return { parts: [{ path: "mirroring.json", payload: btoa(text), payloadType: "InlineBase64" }] };
}

export function definitionOf(answer: Parts): unknown {
  const part = answer.definition.parts.find((p) => p.path.toLowerCase() === "mirroring.json");
  if (!part) return null;
  const bytes = Uint8Array.from(atob(part.payload), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
