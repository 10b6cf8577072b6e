// SPDX-License-Identifier: MIT
import { expect, it } from "vitest";
import { csvOf, identifier, splitName, textOf } from "../../src/format/result";

it("writes CSV that tells NULL from nothing", () => {
  const r = { columns: ["a", 'b "x"'], rows: [[1, null], ["", 'say "hi"'], ["two\nlines", { k: [1] }]], truncated: false, milliseconds: 1 };
  expect(csvOf(r)).toBe('a,"b ""x"""\r\n1,\r\n"","say ""hi"""\r\n"two\nlines","{""k"":[1]}"\r\n');
});

it("shows values as they are", () => {
  expect(textOf(null)).toBe("");
  expect(textOf(false)).toBe("false");
  expect(textOf([1, "a"])).toBe('[1,"a"]');
});

it("splits names, a schema with a point in it too", () => {
  expect(splitName("public.orders")).toEqual(["public", "orders"]);
  expect(splitName("public.orders.old")).toEqual(["public", "orders.old"]);
  expect(splitName('"a.b".orders')).toEqual(["a.b", "orders"]);
  expect(splitName('"a""b".t')).toEqual(['a"b', "t"]);
  expect(splitName("orders")).toEqual(["", "orders"]);
});

it("quotes what SQL would read otherwise", () => {
  expect(identifier("public.orders")).toBe("public.orders");
  expect(identifier("public.Order Items")).toBe('public."Order Items"');
  expect(identifier('"a.b".x"y')).toBe('"a.b"."x""y"');
});
