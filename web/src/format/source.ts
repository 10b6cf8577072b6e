// SPDX-License-Identifier: MIT
// source.ts -- what a source's address tells before anybody is asked.

export interface Address {
  kind: "PostgreSQL" | "SQLite" | "MySQL" | "SQL Server" | "Landing zone";
  host: string | null;
  database: string | null;
  user: string | null;
  hasPassword: boolean;
}

const KINDS: Record<string, Address["kind"]> = {
  postgresql: "PostgreSQL",
  postgres: "PostgreSQL",
  sqlite: "SQLite",
  mysql: "MySQL",
  sqlserver: "SQL Server",
  landing: "Landing zone",
};

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** null: it is no address yet. */
export function parseAddress(url: string): Address | null {
  const m = /^([a-z]+):\/\/([^/?#]*)(?:\/([^?#]*))?/i.exec(url.trim());
  const kind = m && KINDS[m[1]!.toLowerCase()];
  if (!m || !kind) return null;
  const at = m[2]!.lastIndexOf("@");
  const [user, password] = at < 0 ? [null, undefined] : splitOnce(m[2]!.slice(0, at));
  const host = m[2]!.slice(at + 1) || null;
  const path = m[3] ? decoded(m[3]) : null;
  return { kind, host, database: path || null, user: user === null ? null : decoded(user), hasPassword: Boolean(password) };
}

function splitOnce(text: string): [string, string | undefined] {
  const i = text.indexOf(":");
  return i < 0 ? [text, undefined] : [text.slice(0, i), text.slice(i + 1)];
}

const isFile = (a: Address) => a.kind === "SQLite" || a.kind === "Landing zone";

/** A name that says which database it is: "shop" of /srv/shop.db, "shop on db1" of a server. */
export function suggestName(url: string): string {
  const a = parseAddress(url);
  if (!a) return "";
  const base = (a.database ?? "").split("/").filter(Boolean).pop() ?? "";
  return isFile(a) ? base.replace(/\.(db|sqlite3?|db3)$/i, "") : base || a.host || "";
}

/** What a definition calls such a source. */
export function sourceType(url: string): string {
  const kind = parseAddress(url)?.kind;
  return kind === "PostgreSQL" ? "GenericPostgreSql" : kind === "SQLite" ? "GenericSqlite" : kind === "MySQL" ? "AzureMySql" : kind === "SQL Server" ? "MSSQL" : "GenericMirror";
}

/** For people: the ecosystem's name of a definition's source type. */
export function typeLabel(type: string | null | undefined): string {
  if (!type) return "–";
  if (/postgres/i.test(type)) return "PostgreSQL";
  if (/sqlite/i.test(type)) return "SQLite";
  if (/mysql/i.test(type)) return "MySQL";
  if (/mssql|sqlserver|azuresql/i.test(type)) return "SQL Server";
  return type === "GenericMirror" ? "Open mirroring" : type;
}
