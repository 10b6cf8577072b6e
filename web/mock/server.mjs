// SPDX-License-Identifier: MIT
// server.mjs -- serves dist/ and the made-up REST with the headers the service sends. A test sets `world.fault` to make calls fail.
import { createReadStream, existsSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Refusal, ROUTES } from "./api.mjs";
import { newWorld } from "./world.mjs";

const DIST = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PATTERNS = ROUTES.map(([method, pattern, act]) => ({ method, act, parts: pattern.toLowerCase().split("/"), names: pattern.split("/") }));

function match(method, pathname) {
  const parts = pathname.split("/");
  for (const r of PATTERNS) {
    if (r.method !== method || r.parts.length !== parts.length) continue;
    if (!r.parts.every((p, i) => p.startsWith(":") || p === parts[i].toLowerCase())) continue;
    return { act: r.act, params: Object.fromEntries(r.names.flatMap((n, i) => (n.startsWith(":") ? [[n.slice(1), decodeURIComponent(parts[i])]] : []))) };
  }
  return null;
}

async function bodyOf(request) {
  let text = "";
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
}

function refuse(response, r) {
  response.writeHead(r.status, { "Content-Type": "application/json", "x-ms-public-api-error-code": r.errorCode });
  response.end(JSON.stringify({ requestId: "0", errorCode: r.errorCode, message: r.message, isRetriable: false, ...(r.remedy ? { remedy: r.remedy } : {}) }));
}

async function rest(world, request, response, url) {
  world.calls.push(`${request.method} ${url.pathname}${url.search}`);
  const body = await bodyOf(request);
  const hit = match(request.method, url.pathname);
  const fault = world.fault?.(request.method, url.pathname, body);
  if (fault) return refuse(response, fault);
  if (!world.me.role && !/^\/v1\/(me|session)$/.test(url.pathname)) return refuse(response, new Refusal(401, "Unauthorized", "Nobody is signed in.", "sign in"));
  if (request.method !== "GET" && request.headers["x-tain-csrf"] !== "1") return refuse(response, new Refusal(403, "InsufficientPrivileges", "The header X-Tain-Csrf is missing.", null));
  if (!hit) return refuse(response, new Refusal(404, "EntityNotFound", `There is nothing at ${url.pathname}.`, null));
  try {
    const answer = hit.act(world, hit.params, body, Object.fromEntries(url.searchParams));
    if (answer === undefined) return response.writeHead(200, { "Content-Length": 0, "Content-Type": "application/octet-stream" }).end();
    response.writeHead(request.method === "POST" && answer.id ? 201 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(answer));
  } catch (e) {
    refuse(response, e instanceof Refusal ? e : new Refusal(500, "UnknownError", String(e.stack), null));
  }
}

function page(response, pathname) {
  const file = path.join(DIST, pathname === "/" ? "index.html" : path.normalize(pathname));
  if (!file.startsWith(DIST) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" });
  createReadStream(file).pipe(response);
}

/** Starts it on a free port, or the one given. */
export function startMock(port = 0) {
  const made = { world: newWorld(), url: "", close: () => server.close() };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://mock");
    if (url.pathname.startsWith("/v1/")) void rest(made.world, request, response, url);
    else page(response, url.pathname);
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => {
    made.url = `http://127.0.0.1:${server.address().port}`;
    resolve(made);
  }));
}
