// SPDX-License-Identifier: MIT
import { expect, it } from "vitest";
import { withAllDigits } from "../../src/api/http";

it("keeps the digits that a number has no place for", () => {
  const read = (source: string) => withAllDigits("", JSON.parse(source), { source });
  expect(read("9007199254740993")).toBe("9007199254740993");
  expect(read("12345678901234567890.10")).toBe("12345678901234567890.10");
  expect(read("1.50")).toBe(1.5);
  expect(read("0.30000000000000004")).toBe(0.1 + 0.2);
  expect(read("0.1")).toBe(0.1);
  expect(read("42")).toBe(42);
  expect(withAllDigits("", 9007199254740993)).toBe(9007199254740992);
  expect(withAllDigits("", "text", { source: '"text"' })).toBe("text");
});
