// SPDX-License-Identifier: MIT
// suite.mjs -- runs tests one after the other and ends with `N passed, N failed`, as the project's other tests do.
import assert from "node:assert/strict";
import { openBrowser, openPage, shot } from "./browser.mjs";

const tests = [];

export function test(name, act) {
  tests.push({ name, act });
}

/** Polls until it is so; what is told otherwise is what it was last. */
export async function until(ask, what, seconds = 8) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await ask();
    if (value) return value;
    if (Date.now() > end) assert.fail(`not within ${seconds} s: ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

async function one({ name, act }, browser, makeService) {
  const service = await makeService();
  const pages = [];
  const open = async (at = "", how = {}) => {
    const page = await openPage(browser, `${service.url}/${at}`, how);
    pages.push(page);
    return page;
  };
  try {
    await act({ open, service, world: service.world });
    assert.deepEqual(pages.flatMap((p) => p.complaints), [], "the page complained");
    return true;
  } catch (e) {
    console.log(`FAILED ${name}\n  ${String(e.stack ?? e).split("\n").slice(0, 12).join("\n  ")}`);
    if (pages.length) await shot(pages.at(-1), `failed-${name.replace(/\W+/g, "-")}`).catch(() => {});
    return false;
  } finally {
    for (const p of pages) await p.context().close();
    await service.close();
  }
}

/** only: words of names; none: all. Returns how many failed. */
export async function runTests(makeService, only = []) {
  const browser = await openBrowser();
  const chosen = tests.filter((t) => !only.length || only.some((w) => t.name.includes(w)));
  let failed = 0;
  for (const t of chosen) {
    const good = await one(t, browser, makeService);
    if (good) console.log(`ok ${t.name}`);
    failed += good ? 0 : 1;
  }
  await browser.close();
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed;
}
