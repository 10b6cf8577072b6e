// SPDX-License-Identifier: MIT
// appearance.mjs -- every view, in both colours and on a narrow screen: axe finds nothing, and nothing is wider than the screen.
import assert from "node:assert/strict";
import { axe, emptyBelow, NARROW, sideways, WIDE } from "./browser.mjs";
import { VIEWS } from "./look.mjs";
import { test, until } from "./suite.mjs";

const WAYS = [
  ["light", { theme: "light", size: WIDE }],
  ["dark", { theme: "dark", size: WIDE }],
  ["narrow", { theme: "light", size: NARROW }],
  ["narrow-dark", { theme: "dark", size: NARROW }],
];

for (const [way, how] of WAYS) {
  for (const view of VIEWS) {
    test(`appearance ${way} ${view.name}`, async ({ open }) => {
      const page = await open(view.at, how);
      await page.waitForSelector(view.ready);
      await view.then?.(page);
      assert.deepEqual(await axe(page), []);
      assert.equal(await sideways(page), 0, "one has to scroll sideways");
      assert.ok((await emptyBelow(page)) <= 1, "one can scroll into nothing");
      assert.equal(await page.locator("h1").count(), 1);
      assert.notEqual(await page.title(), "tain");
    });
  }
}

test("colours follow the system, and the switch overrules it", async ({ open }) => {
  const page = await open("", { theme: "dark" });
  await page.waitForSelector("h1");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByRole("button", { name: "Light colours" }).click();
  const light = await ground();
  assert.notEqual(light, dark);
  await page.reload();
  await page.waitForSelector("h1");
  assert.equal(await ground(), light, "it is remembered");
  await page.getByRole("button", { name: "Colours as the system has them" }).click();
  assert.equal(await ground(), dark);
});

test("charts take the colours of the theme", async ({ open, world }) => {
  const page = await open(`#/mirror/${world.items[0].workspaceId}/${world.items[0].id}`);
  await page.waitForSelector(".u-wrap canvas");
  const picture = () => page.evaluate(() => document.querySelector(".u-wrap canvas").toDataURL());
  const before = await picture();
  await page.getByRole("button", { name: "Dark colours" }).click();
  await page.waitForFunction((b) => document.querySelector(".u-wrap canvas")?.toDataURL() !== b, before);
});

test("nothing moves for who wants no motion", async ({ open, world }) => {
  const moving = (page) => page.evaluate(() => document.getAnimations().filter((a) => a.playState === "running").length);
  const at = `#/mirror/${world.items[2].workspaceId}/${world.items[2].id}`;
  const still = await open(at, { motion: "reduce" });
  await still.waitForSelector("td .badge .spin");
  assert.equal(await moving(still), 0);
  const other = await open(at, { motion: "no-preference" });
  await other.waitForSelector("td .badge .spin");
  assert.notEqual(await moving(other), 0);
});

test("the menu of narrow screens opens, closes by Escape and when one has gone somewhere", async ({ open }) => {
  const page = await open("", { size: NARROW });
  const menu = page.getByRole("button", { name: "Menu" });
  const is = (expanded) => until(async () => (await menu.getAttribute("aria-expanded")) === expanded, `expanded: ${expanded}`);
  assert.equal(await page.getByRole("link", { name: "Connections" }).isVisible(), false);
  await menu.click();
  await is("true");
  await page.keyboard.press("Escape");
  await is("false");
  await menu.click();
  await page.getByRole("link", { name: "Connections" }).click();
  await page.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
  await is("false");
});

test("the rules against foreign scripts hold: one that stands in the page does not run", async ({ open }) => {
  const page = await open();
  await page.waitForSelector("h1");
  await page.evaluate(() => {
    const s = document.createElement("script");
    s.textContent = "window.broken = true";
    document.head.append(s);
  });
  assert.equal(await page.evaluate(() => window.broken), undefined);
  page.complaints.length = 0; // the browser told of it
});
