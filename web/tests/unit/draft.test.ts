// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import type { Assessment } from "../../src/api/types";
import { anyWrong, DEFAULTS, definitionOf, mirrorable, verdicts, wrongOption } from "../../src/views/create/draft";

const draft = { connection: "c1", url: "postgresql://db/shop", database: "", all: true, chosen: new Set<string>(), options: DEFAULTS };

describe("a definition", () => {
  it("has nothing that is so anyhow", () => {
    expect(definitionOf(draft)).toEqual({
      properties: { source: { type: "GenericPostgreSql", typeProperties: { connection: "c1" } }, target: { type: "MountedRelationalDatabase", typeProperties: { defaultSchema: "public", format: "Delta" } } },
    });
  });
  it("names the tables that were chosen", () => {
    const d = definitionOf({ ...draft, all: false, chosen: new Set(["public.b", '"x.y".a']) }) as { properties: { mountedTables: unknown } };
    expect(d.properties.mountedTables).toEqual([{ source: { typeProperties: { schemaName: "x.y", tableName: "a" } } }, { source: { typeProperties: { schemaName: "public", tableName: "b" } } }]);
  });
  it("has the options that were set", () => {
    const d = definitionOf({ ...draft, database: " other ", options: { ...DEFAULTS, freshness: "2s", history: true, profile: "compat", changeDataFeed: true, onDrop: "delete" } }) as { properties: { source: { typeProperties: object }; target: { typeProperties: object }; tain: object } };
    expect(d.properties.source.typeProperties).toEqual({ connection: "c1", database: "other" });
    expect(d.properties.target.typeProperties).toHaveProperty("enableDeltaChangeDataFeed", true);
    expect(d.properties.tain).toEqual({ freshness: "2s", history: true, profile: "compat", onDrop: "delete" });
  });
});

describe("an assessment", () => {
  const a: Assessment = { source: "", findings: [], tables: [{ name: "a.x", verdict: "ok", findings: [] }, { name: "a.y", verdict: "warning", findings: [] }, { name: "a.z", verdict: "error", findings: [] }] };
  it("is counted", () => expect(verdicts(a)).toEqual({ ok: 1, warning: 1, error: 1 }));
  it("offers what can be mirrored", () => expect(mirrorable(a)).toEqual(new Set(["a.x", "a.y"])));
});

describe("options", () => {
  it("are refused before they are sent", () => {
    expect(wrongOption("freshness", "500ms")).toBeNull();
    expect(wrongOption("freshness", "")).toBeNull();
    expect(wrongOption("freshness", "soon")).not.toBeNull();
    expect(wrongOption("memory", "512MiB")).toBeNull();
    expect(wrongOption("memory", "much")).not.toBeNull();
    expect(wrongOption("snapshotFrom", "standby")).not.toBeNull();
    expect(anyWrong(DEFAULTS)).toBe(false);
    expect(anyWrong({ ...DEFAULTS, retention: "x" })).toBe(true);
  });
});
