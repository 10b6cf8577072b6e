// SPDX-License-Identifier: MIT
// polling.mjs -- what is seen is asked for every two seconds, what is not seen is not; a service that is gone comes back by itself.
import assert from "node:assert/strict";
import { test, until } from "./suite.mjs";

const asked = (world, path) => world.calls.filter((c) => c === `GET ${path}`).length;

/** Tells the page that it is hidden, or seen again: browsers without a head have no tabs to switch. */
const hide = (page, hidden) =>
  page.evaluate((h) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => h });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

test("the list of mirrors is asked for without waiting for who one is", async ({ open }) => {
  const asked = [];
  const prepare = async (page) => {
    page.on("request", (r) => r.url().endsWith("/v1/mirrors") && asked.push(r));
    const list = page.waitForRequest("**/v1/mirrors");
    await page.route("**/v1/me", async (route) => {
      await list;
      await route.continue();
    });
  };
  const page = await open("", { prepare });
  await page.waitForSelector("table.grid");
  assert.equal(asked.length, 1, "what came is what is shown");
});

test("polling: the view on the screen alone, and no other", async ({ open, world }) => {
  const page = await open("", { clock: true });
  await page.waitForSelector("table.grid");
  await until(() => asked(world, "/v1/mirrors") >= 3, "asked again and again");
  await page.getByRole("link", { name: "Connections" }).click();
  await page.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
  const before = asked(world, "/v1/mirrors");
  const others = asked(world, "/v1/connections");
  await page.clock.runFor(20_000);
  await until(() => asked(world, "/v1/connections") > others, "what is seen is asked for");
  assert.equal(asked(world, "/v1/mirrors"), before);
});

test("polling: nothing is asked for a hidden tab, and at once when it is seen", async ({ open, world }) => {
  const page = await open("", { clock: true });
  await page.waitForSelector("table.grid");
  await page.waitForLoadState("networkidle"); // no call is under way
  await hide(page, true);
  const before = world.calls.length;
  await page.clock.runFor(60_000);
  await page.evaluate(() => fetch("v1/me")); // had there been calls, they would be here before this one
  assert.equal(world.calls.length, before + 1);
  await hide(page, false);
  await until(() => world.calls.length > before + 1, "asked again", 1);
});

test("polling: figures change without a reload", async ({ open, world }) => {
  const page = await open(`#/mirror/${world.items[0].workspaceId}/${world.items[0].id}`);
  const rows = page.locator(".figures span[title]").first();
  await rows.waitFor();
  const before = await rows.getAttribute("title");
  await until(async () => (await rows.getAttribute("title")) !== before, "rows grow");
});

test("polling: a service that is gone is told, the old figures stay, and it comes back", async ({ open, world }) => {
  const page = await open();
  await page.waitForSelector("table.grid");
  await page.context().setOffline(true);
  await page.getByRole("alert").getByText("The service does not answer.").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 8);
  await page.context().setOffline(false);
  await page.getByRole("alert").getByText("The service does not answer.").waitFor({ state: "detached" });
  page.complaints.length = 0; // the browser told that it was offline
  assert.ok(world.calls.length > 0);
});

test("polling: a service that is not there yet when the page opens", async ({ open, world }) => {
  let down = true;
  world.fault = (_m, path) => (down && path === "/v1/me" ? { status: 503, errorCode: "UnknownError", message: "The service is starting.", remedy: "wait" } : null);
  const page = await open();
  await page.getByText("The service is starting.").waitFor();
  down = false;
  await page.getByRole("heading", { level: 1, name: "Mirrors" }).waitFor();
});
