// SPDX-License-Identifier: MIT
// time.ts -- moments in the viewer's zone, and how long things take.
import { NONE } from "./number";

const two = (n: number) => String(n).padStart(2, "0");

/** null when it is none, or not one. */
export function parseTime(text: string | null | undefined): Date | null {
  if (!text) return null;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** "2026-11-22 05:34:27", in the viewer's zone */
export function localTime(at: Date | null): string {
  if (!at) return NONE;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(at)}`;
}

/** "05:34:27" */
export function clock(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** "2026-11-22 05:34:27.060 UTC" */
export function utcTime(at: Date | null): string {
  return at ? at.toISOString().replace("T", " ").replace("Z", " UTC") : "";
}

/** The day is left out of what was today. */
export function shortTime(at: Date | null, now: Date): string {
  if (!at) return NONE;
  return at.toDateString() === now.toDateString() ? clock(at) : localTime(at);
}

const SPANS: readonly [string, number][] = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/** 180 -> "180 ms"; 2300 -> "2.3 s"; 250000 -> "4 min 10 s": the two largest units. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  const span = Math.max(0, ms);
  if (span < 1000) return `${Math.round(span)} ms`;
  if (span < 10_000) return `${(span / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  let rest = Math.round(span / 1000);
  const first = SPANS.findIndex(([, size]) => rest >= size);
  const parts: string[] = [];
  for (const [unit, size] of SPANS.slice(first, first + 2)) {
    const n = Math.floor(rest / size);
    if (n) parts.push(`${n} ${unit}`);
    rest -= n * size;
  }
  return parts.join(" ");
}

/** "just now", "12 s ago", "3 h ago": the largest unit alone. */
export function ago(at: Date | null, now: Date): string {
  if (!at) return "never";
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  if (seconds < 3) return "just now";
  const span = SPANS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / span[1])} ${span[0]} ago`;
}
