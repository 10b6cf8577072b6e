// SPDX-License-Identifier: MIT
// result.ts -- values of a query as text, and as CSV.
import type { QueryResult } from "../api/types";

export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** RFC 4180. NULL is nothing, an empty text is "". */
export function csvOf(r: QueryResult): string {
  const field = (v: unknown) => (v === "" ? '""' : quoted(textOf(v)));
  return [r.columns.map(quoted), ...r.rows.map((row) => row.map(field))].map((line) => line.join(",") + "\r\n").join("");
}

/** The two parts of a name in records: a schema with a point in it stands in double quotes. */
export function splitName(name: string): [schema: string, table: string] {
  const m = /^"((?:[^"]|"")*)"\.(.*)$/s.exec(name) ?? /^([^.]*)\.(.*)$/s.exec(name);
  return m ? [m[1]!.replaceAll('""', '"'), m[2]!] : ["", name];
}

const part = (text: string) => (/^[a-z_][a-z0-9_]*$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`);

/** A table as SQL names it. */
export function identifier(name: string): string {
  const [schema, table] = splitName(name);
  return schema ? `${part(schema)}.${part(table)}` : part(table);
}
