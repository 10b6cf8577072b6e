// SPDX-License-Identifier: MIT
// route.ts -- where one is, kept behind the # of the address: the service serves one page only.
import { useEffect, useState } from "preact/hooks";

export type Tab = "tables" | "activity" | "query" | "log" | "settings";

export type Route =
  | { view: "mirrors" }
  | { view: "create" }
  | { view: "mirror"; ws: string; id: string; tab: Tab }
  | { view: "table"; ws: string; id: string; schema: string; table: string }
  | { view: "connections" }
  | { view: "activity" }
  | { view: "access" }
  | { view: "lost" };

const TABS: readonly string[] = ["tables", "activity", "query", "log", "settings"];

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parseRoute(hash: string): Route {
  const [head, ...rest] = hash.replace(/^#?\/?/, "").split("/").map(decode);
  if (!head || head === "mirrors") return { view: "mirrors" };
  if (head === "new") return { view: "create" };
  if (head === "connections" || head === "activity" || head === "access") return { view: head };
  const [ws, id, tab, schema, table] = rest;
  if (head !== "mirror" || !ws || !id) return { view: "lost" };
  if (tab === "table" && schema !== undefined && table) return { view: "table", ws, id, schema, table };
  if (!tab) return { view: "mirror", ws, id, tab: "tables" };
  return TABS.includes(tab) ? { view: "mirror", ws, id, tab: tab as Tab } : { view: "lost" };
}

export function hrefOf(r: Route): string {
  const join = (...parts: string[]) => "#/" + parts.map(encodeURIComponent).join("/");
  if (r.view === "create") return join("new");
  if (r.view === "mirror") return r.tab === "tables" ? join("mirror", r.ws, r.id) : join("mirror", r.ws, r.id, r.tab);
  if (r.view === "table") return join("mirror", r.ws, r.id, "table", r.schema, r.table);
  return join(r.view === "lost" ? "mirrors" : r.view);
}

export function go(r: Route): void {
  location.hash = hrefOf(r);
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const moved = () => setHash(location.hash);
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return parseRoute(hash);
}
