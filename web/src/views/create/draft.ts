// SPDX-License-Identifier: MIT
// draft.ts -- what is being made, before it is: pure, so that it can be tested.
import type { Assessment, Verdict } from "../../api/types";
import { splitName } from "../../format/result";
import { sourceType } from "../../format/source";

export type Capture = "" | "log" | "poll";

export interface Options {
  freshness: string;
  profile: "default" | "compat";
  changeDataFeed: boolean;
  history: boolean;
  rateLimit: string;
  retainedLog: string;
  retention: string;
  memory: string;
  snapshotFrom: string;
  capture: Capture;
  onDrop: "keep" | "delete";
}

export const DEFAULTS: Options = { freshness: "", profile: "default", changeDataFeed: false, history: false, rateLimit: "", retainedLog: "", retention: "", memory: "", snapshotFrom: "", capture: "", onDrop: "keep" };

export interface Draft {
  connection: string;
  url: string;
  database: string;
  all: boolean;
  chosen: ReadonlySet<string>;
  options: Options;
}

/** Only what differs from what tain does anyhow is written down. */
function tainOf(o: Options): Record<string, unknown> {
  const tain: Record<string, unknown> = {};
  for (const key of ["freshness", "rateLimit", "retainedLog", "retention", "memory", "snapshotFrom", "capture"] as const) if (o[key].trim()) tain[key] = o[key].trim();
  if (o.profile === "compat") tain["profile"] = "compat";
  if (o.history) tain["history"] = true;
  if (o.onDrop === "delete") tain["onDrop"] = "delete";
  return tain;
}

/** mirroring.json */
export function definitionOf(d: Draft): object {
  const mounted = [...d.chosen].sort().map((name) => {
    const [schemaName, tableName] = splitName(name);
    return { source: { typeProperties: { schemaName, tableName } } };
  });
  const tain = tainOf(d.options);
  return {
    properties: {
      source: { type: sourceType(d.url), typeProperties: { connection: d.connection, ...(d.database.trim() ? { database: d.database.trim() } : {}) } },
      target: {
        type: "MountedRelationalDatabase",
        typeProperties: { defaultSchema: sourceType(d.url) === "GenericSqlite" ? "main" : "public", format: "Delta", ...(d.options.changeDataFeed ? { enableDeltaChangeDataFeed: true } : {}) },
      },
      ...(d.all ? {} : { mountedTables: mounted }),
      ...(Object.keys(tain).length ? { tain } : {}),
    },
  };
}

export function verdicts(a: Assessment): Record<Verdict, number> {
  const sum = { ok: 0, warning: 0, error: 0 };
  for (const t of a.tables) sum[t.verdict]++;
  return sum;
}

/** Whoever chooses begins with all that can be mirrored. */
export const mirrorable = (a: Assessment) => new Set(a.tables.filter((t) => t.verdict !== "error").map((t) => t.name));

const DURATION = /^\d+(\.\d+)?\s*(ms|s|m|min|h|d)$/;
const SIZE = /^\d+(\.\d+)?\s*([KMGT]i?B?|B)?$/i;
const RATE = /^\d+(\.\d+)?\s*([KMGT]i?B?|B|[kM]? ?rows?)?(\/s)?$/i;

/** What is wrong with an option, or nothing. */
export function wrongOption(key: keyof Options, value: string): string | null {
  const text = value.trim();
  if (!text) return null;
  if ((key === "freshness" || key === "retention") && !DURATION.test(text)) return "A number with a unit, as 500ms, 2s or 7d.";
  if (key === "memory" && !SIZE.test(text)) return "A size, as 256MiB.";
  if (key === "rateLimit" && !RATE.test(text)) return "Bytes or rows a second, as 20MiB.";
  if (key === "snapshotFrom" && !/^[a-z]+:\/\//i.test(text)) return "The address of a standby, as postgresql://…";
  return null;
}

export const anyWrong = (o: Options) => (Object.keys(o) as (keyof Options)[]).some((k) => typeof o[k] === "string" && wrongOption(k, o[k] as string) !== null);
