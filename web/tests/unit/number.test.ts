// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import { bytes, compact, count, NONE, plural, rate, share } from "../../src/format/number";

describe("numbers", () => {
  it("are dashes when they are not known", () => {
    for (const f of [count, compact, bytes, share, rate]) {
      expect(f(null)).toBe(NONE);
      expect(f(undefined)).toBe(NONE);
      expect(f(Number.NaN)).toBe(NONE);
    }
  });
  it("have three digits and a magnitude", () => {
    expect(compact(0)).toBe("0");
    expect(compact(999)).toBe("999");
    expect(compact(1000)).toBe("1 k");
    expect(compact(1234)).toBe("1.23 k");
    expect(compact(22_100)).toBe("22.1 k");
    expect(compact(999_999)).toBe("1 M");
    expect(compact(2.5e13)).toBe("25 T");
    expect(compact(-1500)).toBe("-1.5 k");
  });
  it("count bytes by 1024", () => {
    expect(bytes(512)).toBe("512 B");
    expect(bytes(1536)).toBe("1.5 KiB");
    expect(bytes(10 * 2 ** 30)).toBe("10 GiB");
    expect(bytes(100 * 2 ** 20)).toBe("100 MiB");
  });
  it("keep every digit when they are counted", () => expect(count(1_234_567)).toBe("1,234,567"));
  it("tell small rates from none", () => {
    expect(rate(0)).toBe("0");
    expect(rate(0.04)).toBe("< 0.1");
    expect(rate(3.25)).toBe("3.3");
    expect(rate(4100)).toBe("4.1 k");
  });
  it("have their plural", () => {
    expect(plural(1, "table")).toBe("1 table");
    expect(plural(0, "table")).toBe("0 tables");
    expect(plural(1200, "table")).toBe("1,200 tables");
  });
  it("are shares", () => expect(share(0.7218)).toBe("72 %"));
});
