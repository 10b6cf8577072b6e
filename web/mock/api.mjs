// SPDX-License-Identifier: MIT
// api.mjs -- the REST of the made-up service: [method, path, what it does]. `:name` is one part of a path.
import { randomUUID } from "node:crypto";
import * as w from "./world.mjs";

export class Refusal extends Error {
  constructor(status, errorCode, message, remedy) {
    super(message);
    Object.assign(this, { status, errorCode, remedy });
  }
}

const list = (value) => ({ value, continuationToken: null, continuationUri: null });

function found(value, what) {
  if (!value) throw new Refusal(404, "EntityNotFound", `There is no such ${what}.`, "check the name");
  return value;
}

const itemOf = (world, p) => found(world.items.find((i) => i.id === p.id && i.workspaceId === p.ws), "mirrored database");
const tableOf = (world, p) => found(itemOf(world, p).tables.find((t) => t.schema === p.schema && t.table === p.table), "table");
const connectionOf = (world, p) => found(world.connections.find((c) => c.id === p.id), "connection");

function definitionIn(body) {
  const part = body.definition?.parts?.[0];
  return part ? JSON.parse(Buffer.from(part.payload, "base64").toString("utf8")) : {};
}

function setStatus(world, p, status) {
  const i = itemOf(world, p);
  Object.assign(i, { status, error: null, lag: status === "Running" ? (i.lag ?? 180) : i.lag });
}

function putConnection(c, body) {
  if (body.displayName) c.displayName = body.displayName;
  if (body.url) {
    const m = /^([a-z]+:\/\/[^:/@]*):([^@]*)@(.*)$/.exec(body.url);
    if (!/^[a-z]+:\/\//.test(body.url)) throw new Refusal(400, "InvalidRequest", "The address is not a URL.", "write it as postgresql://user@host/database");
    c.url = m ? `${m[1]}@${m[3]}` : body.url;
    if (m) c.secret = "sealed";
  }
  if (body.secret) c.secret = /^(env|file):/.test(body.secret) ? body.secret : "sealed";
  return c;
}

const MIRRORS = "/v1/workspaces/:ws/mirroredDatabases";
const MIRROR = `${MIRRORS}/:id`;
const TABLE = `${MIRROR}/tables/:schema/:table`;

const QUERY_ROWS = [
  ["1", "Ada Lovelace", "1290.50", "2026-11-22T05:34:27Z", null],
  ["2", "Grace Hopper", "88.00", "2026-11-22T05:34:29Z", "gift"],
  ["3", "Hedy Lamarr", "10432.99", "2026-11-22T05:35:02Z", null],
];

function runQuery(_world, _p, body) {
  if (/sleep/i.test(body.sql)) throw new Refusal(400, "InvalidRequest", "Binder Error: function sleep does not exist", null);
  if (!/^\s*(select|with|show|describe|values|from)\b/i.test(body.sql)) throw new Refusal(400, "InvalidRequest", `Parser Error: syntax error at or near "${body.sql.slice(0, 12)}"`, "only reading is possible here: begin with SELECT");
  return { columns: ["id", "name", "total", "placed_at", "note"], rows: QUERY_ROWS.map((r) => [Number(r[0]), r[1], r[2], r[3], r[4]]), truncated: /all/.test(body.sql), milliseconds: 23 };
}

function executions(world, filter) {
  const rows = w.executionsOf(world, filter);
  const from = Number(filter.continuationToken ?? 0);
  const most = Number(filter.maxResults ?? 100);
  return { value: rows.slice(from, from + most), continuationToken: from + most < rows.length ? String(from + most) : null, continuationUri: null };
}

const pauseTable = (paused) => (world, p) => Object.assign(tableOf(world, p), paused ? { status: "Stopped", reason: "paused" } : { status: "Replicating", reason: null });

function signIn(world, _p, body) {
  if (body.password !== "correct horse") throw new Refusal(401, "Unauthorized", "Name or password are not right.", "check both, or ask an administrator");
  world.me = { id: world.users[0].id, name: body.name, role: "admin", workspaces: {}, session: true, login: true };
}

function remove(key, p) {
  return (world) => {
    const rows = world[key];
    rows.splice(rows.indexOf(found(rows.find((x) => x.id === p.id), key.slice(0, -1))), 1);
  };
}

export const ROUTES = [
  ["GET", "/v1/me", (world) => world.me],
  ["POST", "/v1/session", signIn],
  ["DELETE", "/v1/session", (world) => void (world.me = { id: null, name: null, role: null, workspaces: {}, session: false, login: true })],
  ["GET", "/v1/workspaces", (world) => list(world.workspaces)],
  ["POST", "/v1/workspaces", (world, _p, body) => { const made = { id: randomUUID(), displayName: body.displayName }; world.workspaces.push(made); return made; }],
  ["GET", "/v1/mirrors", (world) => list(world.items.map((i) => w.summaryOf(world, i)))],
  ["GET", "/v1/executions", (world, _p, _b, q) => executions(world, q)],
  ["GET", `${MIRROR}/executions`, (world, p, _b, q) => executions(world, { ...q, item: itemOf(world, p).id })],
  ["POST", MIRRORS, (world, p, body) => {
    if (world.items.some((i) => i.displayName === body.displayName)) throw new Refusal(409, "ItemDisplayNameAlreadyInUse", `There is a mirrored database ${body.displayName} already.`, "choose another name");
    return { id: w.addItem(world, p.ws, body.displayName, definitionIn(body)).id, type: "MirroredDatabase" };
  }],
  ["PATCH", MIRROR, (world, p, body) => Object.assign(itemOf(world, p), body) && {}],
  ["DELETE", MIRROR, (world, p) => { itemOf(world, p); remove("items", p)(world); }],
  ["POST", `${MIRROR}/startMirroring`, (world, p) => setStatus(world, p, "Running")],
  ["POST", `${MIRROR}/stopMirroring`, (world, p) => setStatus(world, p, "Stopped")],
  ["POST", `${MIRROR}/pauseMirroring`, (world, p) => setStatus(world, p, "Paused")],
  ["POST", `${MIRROR}/resumeMirroring`, (world, p) => setStatus(world, p, "Running")],
  ["POST", `${MIRROR}/resync`, (world, p) => void itemOf(world, p)],
  ["POST", `${MIRROR}/transferOwner`, (world, p, body) => { found(world.users.find((u) => u.name === body.userName), "user"); itemOf(world, p).owner = { id: "x", name: body.userName }; }],
  ["POST", `${MIRROR}/getDefinition`, (world, p) => { const d = world.definitions.get(itemOf(world, p).id) ?? { properties: { source: { type: itemOf(world, p).type, typeProperties: { connection: itemOf(world, p).connection } }, target: { type: "MountedRelationalDatabase", typeProperties: { defaultSchema: "public", format: "Delta" } }, tain: { freshness: "500ms" } } }; return { definition: { parts: [{ path: "mirroring.json", payload: Buffer.from(JSON.stringify(d)).toString("base64"), payloadType: "InlineBase64" }] } }; }],
  ["POST", `${MIRROR}/updateDefinition`, (world, p, body) => void world.definitions.set(itemOf(world, p).id, definitionIn(body))],
  ["GET", `${MIRROR}/monitor`, (world, p) => w.monitorOf(world, itemOf(world, p))],
  ["GET", `${MIRROR}/series`, (world, p, _b, q) => w.seriesOf(itemOf(world, p), Number(q.minutes ?? 60))],
  ["GET", `${MIRROR}/logs`, (world, p, _b, q) => ({ lines: Array.from({ length: Math.min(40, Number(q.lines)) }, (_, n) => `2026-11-22T05:${String(n).padStart(2, "0")}:27.060Z ${n % 9 === 8 ? "warning: the source keeps 11.4 GiB of its log" : "info: epoch " + (800 + n) + ", 8 tables, 412 rows, lag 180 ms"} (${itemOf(world, p).displayName})`) })],
  ["POST", `${MIRROR}/query`, runQuery],
  ["GET", TABLE, (world, p) => w.detailOf(world, itemOf(world, p), tableOf(world, p))],
  ["POST", `${TABLE}/pause`, (world, p) => void pauseTable(true)(world, p)],
  ["POST", `${TABLE}/resume`, (world, p) => void pauseTable(false)(world, p)],
  ["POST", `${TABLE}/resync`, (world, p) => void Object.assign(tableOf(world, p), { status: "Reseeding", reason: null, remedy: null })],
  ["GET", "/v1/connections", (world) => list(world.connections)],
  ["POST", "/v1/connections", (world, _p, body) => { const c = putConnection({ id: randomUUID(), secret: "none", url: "", displayName: "" }, body); world.connections.push(c); return c; }],
  ["PATCH", "/v1/connections/:id", (world, p, body) => putConnection(connectionOf(world, p), body)],
  ["DELETE", "/v1/connections/:id", (world, p) => {
    const user = world.items.find((i) => i.connection === p.id);
    if (user) throw new Refusal(400, "InvalidRequest", `The mirrored database ${user.displayName} uses this connection.`, "drop it, or give it another connection first");
    remove("connections", p)(world);
  }],
  ["POST", "/v1/connections/:id/test", (world, p) => (/legacy|wrong/.test(connectionOf(world, p).url) ? { ok: false, message: "PostgreSQL at legacy.internal:5432: password authentication failed for user \"tain\"", remedy: "check user and password" } : { ok: true })],
  ["POST", "/v1/connections/:id/assess", (world, p) => w.assessmentOf(connectionOf(world, p))],
  ["GET", "/v1/users", (world) => list(world.users)],
  ["POST", "/v1/users", (world, _p, body) => { if (body.password && body.password.length < 8) throw new Refusal(400, "InvalidRequest", "The password has less than 8 bytes.", "take a longer one"); const u = { id: randomUUID(), name: body.name, role: body.role ?? null, disabled: false, workspaceRoles: {} }; world.users.push(u); return u; }],
  ["PATCH", "/v1/users/:id", (world, p, body) => { const { password, workspaceRoles, ...rest } = body; const u = Object.assign(found(world.users.find((x) => x.id === p.id), "user"), rest); for (const [ws, role] of Object.entries(workspaceRoles ?? {})) role ? (u.workspaceRoles[ws] = role) : delete u.workspaceRoles[ws]; return u; }],
  ["DELETE", "/v1/users/:id", (world, p) => remove("users", p)(world)],
  ["GET", "/v1/tokens", (world) => list(world.tokens)],
  ["POST", "/v1/tokens", (world, _p, body) => { const t = { id: randomUUID(), name: body.name, role: body.role ?? "viewer", userId: body.userId ?? null, session: false, expiresDateTime: null, usedDateTime: null }; world.tokens.push(t); return { id: t.id, token: "tain_made-up-000000000000000000000000" }; }],
  ["DELETE", "/v1/tokens/:id", (world, p) => remove("tokens", p)(world)],
  ["GET", "/v1/audit", (world) => list([{ time: new Date(world.born).toISOString(), userName: "ada", action: "item.create", object: "shop", origin: "127.0.0.1", outcome: "done", detail: null }, { time: new Date(world.born - 9e5).toISOString(), userName: "hedy", action: "session.create", object: null, origin: "10.0.0.7", outcome: "denied", detail: "the user is disabled" }])],
];
