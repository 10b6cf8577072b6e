// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import { ago, duration, localTime, parseTime, shortTime, utcTime } from "../../src/format/time";

const at = new Date(2026, 10, 22, 5, 4, 7);

describe("times", () => {
  it("are none when there is none", () => {
    expect(parseTime(null)).toBeNull();
    expect(parseTime("")).toBeNull();
    expect(parseTime("soon")).toBeNull();
    expect(localTime(null)).toBe("–");
    expect(ago(null, at)).toBe("never");
  });
  it("are in the viewer's zone, and in UTC by name", () => {
    expect(localTime(at)).toBe("2026-11-22 05:04:07");
    expect(utcTime(new Date("2026-11-22T05:34:27.06Z"))).toBe("2026-11-22 05:34:27.060 UTC");
  });
  it("leave the day out of today", () => {
    expect(shortTime(at, new Date(2026, 10, 22, 23))).toBe("05:04:07");
    expect(shortTime(at, new Date(2026, 10, 23, 1))).toBe("2026-11-22 05:04:07");
  });
  it("are ago by their largest unit", () => {
    const after = (s: number) => ago(at, new Date(at.getTime() + s * 1000));
    expect(after(0)).toBe("just now");
    expect(after(-5)).toBe("just now");
    expect(after(12)).toBe("12 s ago");
    expect(after(119)).toBe("1 min ago");
    expect(after(3 * 3600 + 10)).toBe("3 h ago");
    expect(after(49 * 3600)).toBe("2 d ago");
  });
});

describe("durations", () => {
  it("have their two largest units", () => {
    expect(duration(null)).toBe("–");
    expect(duration(0)).toBe("0 ms");
    expect(duration(180)).toBe("180 ms");
    expect(duration(2300)).toBe("2.3 s");
    expect(duration(2000)).toBe("2 s");
    expect(duration(42_000)).toBe("42 s");
    expect(duration(250_000)).toBe("4 min 10 s");
    expect(duration(3_600_000)).toBe("1 h");
    expect(duration(93_784_000)).toBe("1 d 2 h");
    expect(duration(-5)).toBe("0 ms");
  });
});
