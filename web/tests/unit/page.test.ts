// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import { errorOf } from "../../src/api/http";
import { definitionOf, definitionParts, folderName, query } from "../../src/api/service";
import { compare, sorted } from "../../src/parts/grid";
import { isScript } from "../../src/parts/remedy";
import { matches } from "../../src/parts/search";
import { patience } from "../../src/state/poll";
import { hrefOf, parseRoute, type Route } from "../../src/state/route";
import { may, mayAnywhere } from "../../src/state/session";
import { editOf, EMPTY_FORM, wrongForm } from "../../src/views/connections/form";
import { operationLabel } from "../../src/views/activity/executions";

describe("places", () => {
  const routes: Route[] = [{ view: "mirrors" }, { view: "create" }, { view: "mirror", ws: "w", id: "i", tab: "tables" }, { view: "mirror", ws: "w", id: "i", tab: "query" }, { view: "table", ws: "w", id: "i", schema: "a.b", table: "c/d %?#" }, { view: "connections" }, { view: "activity" }, { view: "access" }];
  it("come back from their address", () => {
    for (const r of routes) expect(parseRoute(hrefOf(r))).toEqual(r);
  });
  it("are lost when there is no such place", () => {
    for (const hash of ["#/nowhere", "#/mirror", "#/mirror/w", "#/mirror/w/i/nothing", "#/mirror/w/i/table/s"]) expect(parseRoute(hash).view).toBe("lost");
  });
  it("begin with the mirrors", () => {
    for (const hash of ["", "#", "#/"]) expect(parseRoute(hash).view).toBe("mirrors");
  });
  it("survive an address that is broken", () => expect(parseRoute("#/mirror/%/x").view).toBe("mirror"));
});

describe("tables", () => {
  it("are named in a path as their folders are", () => {
    expect(["orders", "a/b", "$2f", "..", "_x_", "ö \n"].map(folderName)).toEqual(["orders", "a$2fb", "$242f", "$2e.", "$5fx_", "ö $0a"]);
  });
});

describe("errors", () => {
  it("have message and remedy", () => {
    const e = errorOf(409, '{"requestId":"r","errorCode":"ItemDisplayNameAlreadyInUse","message":"There is one.","remedy":"choose another"}');
    expect([e.status, e.code, e.message, e.remedy, e.requestId]).toEqual([409, "ItemDisplayNameAlreadyInUse", "There is one.", "choose another", "r"]);
  });
  it("are errors whatever the answer is", () => {
    expect(errorOf(502, "<html>").message).toBe("The service answered 502.");
    expect(errorOf(500, "null").code).toBe("UnknownError");
    expect(errorOf(500, '{"message":7}').message).toBe("The service answered 500.");
  });
});

describe("polling", () => {
  it("waits longer after failures, and never beyond half a minute", () => {
    expect([0, 1, 2, 3, 9, 99].map((n) => patience(2000, n))).toEqual([2000, 2000, 4000, 8000, 30_000, 30_000]);
    expect(patience(60_000, 3)).toBe(60_000);
  });
});

describe("definitions", () => {
  it("travel unchanged, whatever is in them", () => {
    const d = { properties: { tain: { name: "Käufe 😀 \u0000" } } };
    expect(definitionOf({ definition: definitionParts(d) as never })).toEqual(d);
  });
});

describe("lists", () => {
  it("put what is not known last, whichever way", () => {
    const values = [3, null, 10, 2];
    expect([...values].sort((a, b) => compare(a, b, false))).toEqual([2, 3, 10, null]);
    expect([...values].sort((a, b) => compare(a, b, true))).toEqual([10, 3, 2, null]);
    expect(["t10", "t9"].sort((a, b) => compare(a, b, false))).toEqual(["t9", "t10"]);
  });
  it("stay as they came when nothing sorts them", () => expect(sorted([2, 1], [], null)).toEqual([2, 1]));
  it("are searched by words", () => {
    expect(matches("public.Orders Main", "main ord")).toBe(true);
    expect(matches("public.orders", "order x")).toBe(false);
    expect(matches("anything", "")).toBe(true);
  });
  it("leave out of an address what is not set", () => expect(query({ a: "x y", b: undefined, c: null, d: "", e: 0 })).toBe("?a=x%20y&e=0"));
});

describe("roles", () => {
  const me = { id: "u", name: "u", role: "viewer" as const, workspaces: { w1: "admin" as const }, login: true };
  it("hold in the service or in a workspace, the larger of the two", () => {
    expect(may(me, "viewer")).toBe(true);
    expect(may(me, "contributor")).toBe(false);
    expect(may(me, "admin", "w1")).toBe(true);
    expect(may(me, "contributor", "w2")).toBe(false);
    expect(mayAnywhere(me, "admin")).toBe(true);
    expect(mayAnywhere({ ...me, role: null, workspaces: {} }, "viewer")).toBe(false);
  });
});

describe("connections", () => {
  const form = { ...EMPTY_FORM, url: " postgresql://u@h/shop " };
  it("send what was entered only", () => {
    expect(editOf(form)).toEqual({ displayName: "shop", url: "postgresql://u@h/shop" });
    expect(editOf({ ...form, secret: " p " })).toHaveProperty("secret", " p ");
    expect(editOf({ ...form, secretKind: "env", secret: " V " })).toHaveProperty("secret", "env:V");
    expect(editOf({ ...form, url: "sqlite:///a.db", secret: "left over" })).toEqual({ displayName: "a", url: "sqlite:///a.db" });
  });
  it("need an address", () => {
    expect(wrongForm(EMPTY_FORM)).not.toBeNull();
    expect(wrongForm({ ...form, url: "shop" })).not.toBeNull();
    expect(wrongForm(form)).toBeNull();
  });
});

it("tells scripts from sentences", () => {
  expect(isScript("ALTER TABLE a SET LOGGED;")).toBe(true);
  expect(isScript("set the policy to clamp")).toBe(false);
  expect(isScript("ALTER TABLE a SET LOGGED; GRANT SELECT ON a TO b;")).toBe(true);
  expect(isScript("ALTER TABLE a ADD PRIMARY KEY (...); or, if no columns are unique: ALTER TABLE a REPLICA IDENTITY FULL;")).toBe(false);
  expect(isScript("one\ntwo")).toBe(true);
});

it("names operations in words", () => {
  expect(operationLabel("StartSnapshotting")).toBe("Start snapshotting");
  expect(operationLabel("ReplicatingSchema")).toBe("Replicating schema");
});
