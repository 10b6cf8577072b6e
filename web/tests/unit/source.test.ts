// SPDX-License-Identifier: MIT
import { describe, expect, it } from "vitest";
import { parseAddress, sourceType, suggestName, typeLabel } from "../../src/format/source";

describe("an address", () => {
  it("tells what it is of", () => {
    expect(parseAddress("postgresql://tain:s%40x@db1:5432/shop?sslmode=require")).toEqual({ kind: "PostgreSQL", host: "db1:5432", database: "shop", user: "tain", hasPassword: true });
    expect(parseAddress("postgres://db1")).toEqual({ kind: "PostgreSQL", host: "db1", database: null, user: null, hasPassword: false });
    expect(parseAddress("sqlite:///srv/my%20shop.db")).toEqual({ kind: "SQLite", host: null, database: "srv/my shop.db", user: null, hasPassword: false });
  });
  it("may have an @ in its password", () => expect(parseAddress("postgresql://u:a@b@host/db")?.host).toBe("host"));
  it("is none without a scheme tain knows", () => {
    for (const text of ["", "shop.db", "http://x/y", "postgresql:", "javascript://x"]) expect(parseAddress(text)).toBeNull();
  });
  it("suggests a name", () => {
    expect(suggestName("postgresql://db1/shop")).toBe("shop");
    expect(suggestName("postgresql://db1")).toBe("db1");
    expect(suggestName("sqlite:///srv/crm.sqlite3")).toBe("crm");
    expect(suggestName("nothing")).toBe("");
  });
  it("has a type in definitions, and a name for people", () => {
    expect(sourceType("postgresql://db1/shop")).toBe("GenericPostgreSql");
    expect(typeLabel(sourceType("postgresql://db1/shop"))).toBe("PostgreSQL");
    expect(typeLabel(sourceType("sqlite:///x.db"))).toBe("SQLite");
    expect(typeLabel("AzureSqlDatabase")).toBe("SQL Server");
    expect(typeLabel("Oracle")).toBe("Oracle");
    expect(typeLabel(null)).toBe("–");
  });
});
