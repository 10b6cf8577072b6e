// SPDX-License-Identifier: MIT
// shots.mjs -- a picture of every view, for people to look at: node tests/browser/shots.mjs [light|dark|narrow] [name...]
import { startMock } from "../../mock/server.mjs";
import { NARROW, openBrowser, openPage, shot, WIDE } from "./browser.mjs";
import { VIEWS } from "./look.mjs";

const [how = "light", ...names] = process.argv.slice(2);
const mock = await startMock();
const browser = await openBrowser();
for (const view of VIEWS.filter((v) => !names.length || names.includes(v.name))) {
  const page = await openPage(browser, `${mock.url}/${view.at}`, { theme: how === "dark" ? "dark" : "light", size: how === "narrow" ? NARROW : WIDE });
  try {
    await page.waitForSelector(view.ready);
    await view.then?.(page);
    await page.waitForTimeout(150);
  } catch (e) {
    console.log(`${view.name}: ${String(e).split("\n")[0]}`);
  }
  for (const c of page.complaints) console.log(`${view.name}: ${c}`);
  await shot(page, `${view.name}-${how}`, !view.name.includes("dialog"));
  await page.context().close();
}
await browser.close();
mock.close();
