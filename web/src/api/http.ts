// SPDX-License-Identifier: MIT
// http.ts -- one call of the service: JSON in, JSON out, and one kind of error that says what to do.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy: string | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

const unreachable = () =>
  new ApiError(0, "Unreachable", "The service does not answer.", "Check that `tain serve` runs and that this machine reaches it. It is tried again by itself.");

let unauthorized: (() => void) | null = null;

/** Who is told when the service no longer knows the caller. */
export function onUnauthorized(listener: () => void): void {
  unauthorized = listener;
}

/** The error of an answer whose body may be anything. */
export function errorOf(status: number, text: string): ApiError {
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const say = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : null);
    return new ApiError(status, say("errorCode") ?? "UnknownError", say("message") ?? `The service answered ${status}.`, say("remedy"), say("requestId"));
  } catch {
    return new ApiError(status, "UnknownError", `The service answered ${status}.`);
  }
}

function asError(reason: unknown): unknown {
  return reason instanceof DOMException && reason.name === "AbortError" ? reason : unreachable();
}

const GET: RequestInit = { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" };
const early = new Map<string, Promise<Response | null>>();

/** Asks before there is anybody to show it to. The first call of that address takes the answer if it is a good one, else asks itself. */
export function askEarly(path: string): void {
  early.set(path, fetch(path, GET).then((a) => (a.ok ? a : null), () => null));
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const asked = init.method === "GET" ? early.get(path) : undefined;
  early.delete(path);
  return (await asked) ?? fetch(path, init);
}

const EXACT = 15; // digits that every number keeps

/** Number or, when that has not all its digits, their text; where the browser tells the text (not before 2023). */
export function withAllDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined || String(value) === source) return value;
  const digits = source.replace(/e.*|[-.]/gi, "").replace(/^0+/, "");
  return digits.length > EXACT ? source : value;
}

type Reviver = typeof withAllDigits;

/** An empty answer is undefined. Throws ApiError, or AbortError when the signal says so. */
export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal, reviver?: Reviver): Promise<T> {
  const headers: Record<string, string> = { ...(GET.headers as Record<string, string>) };
  if (method !== "GET") headers["X-Tain-Csrf"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { ...GET, method, headers, keepalive: method === "DELETE" }; // done though the page is being left
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  let status: number, ok: boolean, text: string;
  try {
    const answer = await send(path, init);
    ({ status, ok } = answer);
    text = await answer.text();
  } catch (reason) {
    throw asError(reason);
  }
  if (!ok) {
    if (status === 401) unauthorized?.();
    throw errorOf(status, text);
  }
  if (!text) return undefined as T;
  try {
    return JSON.parse(text, reviver) as T;
  } catch {
    throw new ApiError(status, "UnknownError", "The service answered what is no JSON.", "Check that nothing between this page and the service changes answers.");
  }
}

/** Whatever was thrown, as something that can be shown. */
export function shown(reason: unknown): ApiError {
  if (reason instanceof ApiError) return reason;
  return new ApiError(0, "UnknownError", reason instanceof Error ? reason.message : String(reason));
}
