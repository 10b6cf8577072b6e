// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import type { Monitor, TableRow } from "../../src/api/types";
import { actionsOf, isPaused, lagTone, mirrorState, tableState, tally } from "../../src/format/state";

const table = (over: Partial<TableRow>): TableRow => ({
  name: "public.t", schema: "public", table: "t", status: "Replicating", rows_replicated: 1, rows_processed: 1, bytes_processed: 1, last_completed: null, latency_ms: null, health: null, reason: null, remedy: null, warnings: [], ...over,
});

describe("a mirror's state", () => {
  it("is what people know from the monitor", () => {
    expect(mirrorState("Running", false, 0)).toEqual({ tone: "ok", label: "Running" });
    expect(mirrorState("Running", false, 2)).toEqual({ tone: "warn", label: "Running with warning" });
    expect(mirrorState("Running", true, 0).tone).toBe("warn");
    expect(mirrorState("Initialized", false, 0).label).toBe("Not started");
  });
  it("tells whether it goes on trying", () => {
    expect(mirrorState("Starting", true, 0)).toEqual({ tone: "error", label: "Failed, retrying" });
    expect(mirrorState("Stopped", true, 0)).toEqual({ tone: "error", label: "Failed" });
    expect(mirrorState("Stopped", false, 3)).toEqual({ tone: "off", label: "Stopped" });
  });
  it("is shown as it is when nobody knows it", () => expect(mirrorState("Migrating", false, 0)).toEqual({ tone: "off", label: "Migrating" }));
});

describe("a table's state", () => {
  it("is no better than its mirror's", () => {
    expect(tableState(table({}), "Running").label).toBe("Running");
    expect(tableState(table({}), "Stopped")).toEqual({ tone: "off", label: "Stopped" });
    expect(tableState(table({ status: "Stopped" }), "Paused").label).toBe("Paused");
    expect(tableState(table({ status: "Failed" }), "Stopped").tone).toBe("error");
  });
  it("tells warnings", () => expect(tableState(table({ warnings: [{ code: "x" }] }), "Running").label).toBe("Running with warning"));
  it("tells paused from stopped", () => {
    const paused = table({ status: "Stopped", reason: "paused" });
    expect(isPaused(paused)).toBe(true);
    expect(tableState(paused, "Running").label).toBe("Paused");
    expect(tableState(table({ status: "Stopped", reason: "the source table does not exist" }), "Running")).toEqual({ tone: "warn", label: "Stopped" });
  });
  it("is counted by tone", () => {
    const m = { status: "Running", tables: [table({}), table({ status: "Failed" }), table({ status: "Snapshotting" }), table({ warnings: [{ code: "x" }] })] } as unknown as Monitor;
    expect(tally(m)).toEqual({ ok: 1, warn: 1, error: 1, busy: 1, off: 0 });
  });
});

describe("what can be asked", () => {
  it("depends on the state", () => {
    expect(actionsOf("Running", false)).toEqual(["pause", "stop"]);
    expect(actionsOf("Paused", false)).toEqual(["resume", "stop"]);
    expect(actionsOf("Initialized", false)).toEqual(["start"]);
    expect(actionsOf("Stopped", true)).toEqual(["start", "stop"]);
    expect(actionsOf("Stopping", false)).toEqual([]);
  });
});

it("calls a lag good below ten seconds", () => {
  expect([null, 0, 9_999, 10_000, 60_000].map(lagTone)).toEqual(["off", "ok", "ok", "warn", "error"]);
});
