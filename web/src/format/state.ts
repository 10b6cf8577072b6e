// SPDX-License-Identifier: MIT
// state.ts -- states in words and tones. The words are those people know from Fabric's monitor; REST's own name stays in the title.
import type { MirrorRow, Monitor, TableRow } from "../api/types";

export type Tone = "ok" | "warn" | "error" | "busy" | "off";

export interface State {
  tone: Tone;
  label: string;
}

const DATABASE: Record<string, State> = {
  Initializing: { tone: "busy", label: "Initializing" },
  Initialized: { tone: "off", label: "Not started" },
  Starting: { tone: "busy", label: "Starting" },
  Running: { tone: "ok", label: "Running" },
  Paused: { tone: "off", label: "Paused" },
  Stopping: { tone: "busy", label: "Stopping" },
  Stopped: { tone: "off", label: "Stopped" },
};

const TABLE: Record<string, State> = {
  Initialized: { tone: "busy", label: "Waiting" },
  Snapshotting: { tone: "busy", label: "Loading" },
  Replicating: { tone: "ok", label: "Running" },
  Reseeding: { tone: "busy", label: "Loading again" },
  Stopped: { tone: "off", label: "Stopped" },
  Failed: { tone: "error", label: "Failed" },
};

const unknown = (name: string): State => ({ tone: "off", label: name || "Unknown" });

/** An error of what should run: it tries again (Starting) or has given up (Stopped). */
export function mirrorState(status: string, hasError: boolean, troubled: number): State {
  const state = DATABASE[status] ?? unknown(status);
  if (hasError && status === "Starting") return { tone: "error", label: "Failed, retrying" };
  if (hasError && (status === "Stopped" || status === "Initialized")) return { tone: "error", label: "Failed" };
  if (status === "Running" && (troubled > 0 || hasError)) return { tone: "warn", label: "Running with warning" };
  return state;
}

export function rowState(m: MirrorRow): State {
  return mirrorState(m.status, m.error !== null, m.failed + m.warnings);
}

export const isPaused = (t: TableRow) => t.status === "Stopped" && t.reason === "paused";

/** A table is no better off than its mirror: nothing runs while that does not. */
export function tableState(t: TableRow, mirror: string): State {
  if (isPaused(t)) return { tone: "off", label: "Paused" };
  const state = TABLE[t.status] ?? unknown(t.status);
  if (t.status === "Stopped" && t.reason) return { tone: "warn", label: state.label }; // refused, or gone from the source
  if (t.status === "Failed") return state;
  if (mirror === "Paused") return { tone: "off", label: "Paused" };
  if (mirror === "Stopped" || mirror === "Initialized") return { tone: "off", label: "Stopped" };
  if (state.tone === "ok" && hasTrouble(t)) return { tone: "warn", label: "Running with warning" };
  return state;
}

export const hasTrouble = (t: TableRow) => t.status === "Failed" || t.warnings.length > 0;

export interface Tally {
  ok: number;
  warn: number;
  error: number;
  busy: number;
  off: number;
}

export function tally(m: Monitor): Tally {
  const sum: Tally = { ok: 0, warn: 0, error: 0, busy: 0, off: 0 };
  for (const t of m.tables) sum[tableState(t, m.status).tone]++;
  return sum;
}

export type Action = "start" | "stop" | "pause" | "resume";

/** What can be asked of a mirror in that state. */
export function actionsOf(status: string, hasError: boolean): Action[] {
  if (status === "Running" || status === "Starting") return ["pause", "stop"];
  if (status === "Paused") return ["resume", "stop"];
  if (status === "Stopped" || status === "Initialized") return hasError ? ["start", "stop"] : ["start"];
  return [];
}

/** Lag: under ten seconds is what tain is for, a minute is a reason to look. */
export function lagTone(ms: number | null): Tone {
  if (ms === null) return "off";
  return ms < 10_000 ? "ok" : ms < 60_000 ? "warn" : "error";
}

/** Health of a table's files: 0 to 100. */
export function healthTone(score: number): Tone {
  return score >= 60 ? "ok" : score >= 30 ? "warn" : "error";
}
