// SPDX-License-Identifier: MIT
// monitoring.mjs -- what is seen of mirrors and tables, and what can be done to them.
import assert from "node:assert/strict";
import { test, until } from "./suite.mjs";

const at = (item, tab = "") => `#/mirror/${item.workspaceId}/${item.id}${tab && `/${tab}`}`;
const button = (page, name) => page.getByRole("button", { name, exact: true });
const state = (page) => page.locator(".view-name .badge").innerText();
const called = (world, path) => world.calls.filter((c) => c.includes(path));

test("list: states, search, and the mirrors behind a figure", async ({ open }) => {
  const page = await open();
  const rows = page.locator("tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 8);
  assert.match(await page.getByRole("row", { name: /billing/ }).innerText(), /Running with warning/);
  assert.match(await page.getByRole("row", { name: /legacy/ }).innerText(), /Failed/);
  await page.getByRole("searchbox").fill("finance");
  await until(async () => (await rows.count()) === 1, "one mirror in Finance");
  await page.getByRole("searchbox").fill("");
  await page.getByRole("button", { name: /Not running/ }).click();
  assert.deepEqual((await rows.locator("th a").allInnerTexts()).sort(), ["archive", "crm"]);
});

test("list sorts by a column, and says so", async ({ open }) => {
  const page = await open();
  await page.getByRole("button", { name: "Rows replicated" }).click();
  const head = page.getByRole("columnheader", { name: "Rows replicated" });
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  assert.equal(await page.locator("tbody th a").first().innerText(), "telemetry");
  await page.getByRole("button", { name: "Rows replicated" }).click();
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  assert.equal(await page.locator("tbody th a").first().innerText(), "support");
});

test("first use: nothing is there, and what to do is said", async ({ open, world }) => {
  world.items = [];
  const page = await open();
  await page.getByRole("heading", { name: "Nothing is mirrored yet" }).waitFor();
  await page.getByRole("link", { name: "New mirror" }).click();
  await page.getByRole("heading", { name: "What is to be mirrored?" }).waitFor();
});

test("pause, resume, stop with a question, start", async ({ open, world }) => {
  const page = await open(at(world.items[6]));
  await button(page, "Pause").click();
  await until(async () => (await state(page)) === "Paused", "paused");
  await button(page, "Resume").click();
  await until(async () => (await state(page)) === "Running", "running");
  await button(page, "Stop").click();
  const dialog = page.getByRole("dialog", { name: "Stop telemetry?" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await state(page), "Running");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Stop", "the focus is back where it was");
  await button(page, "Stop").click();
  await dialog.getByRole("button", { name: "Stop" }).click();
  await until(async () => (await state(page)) === "Stopped", "stopped");
  await page.getByRole("status").getByText("telemetry: stopped").waitFor();
  await button(page, "Start").click();
  await until(async () => (await state(page)) === "Running", "running again");
});

test("dropping wants the name typed", async ({ open, world }) => {
  const page = await open(at(world.items[4]));
  await button(page, "Drop…").click();
  const dialog = page.getByRole("dialog", { name: "Drop archive?" });
  assert.equal(await dialog.getByRole("button", { name: "Drop mirror" }).isDisabled(), true);
  await page.keyboard.type("archive"); // the field has the focus
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Mirrors" }).waitFor();
  assert.ok(!world.items.some((i) => i.displayName === "archive"));
});

test("an action that fails says why, and what to do", async ({ open, world }) => {
  world.fault = (method, path) => (path.endsWith("pauseMirroring") ? { status: 403, errorCode: "InsufficientPrivileges", message: "Only contributors pause.", remedy: "ask an administrator for the role" } : null);
  const page = await open(at(world.items[0]));
  await button(page, "Pause").click();
  const alert = page.getByRole("alert").filter({ hasText: "Pause failed" });
  await alert.getByText("Only contributors pause.").waitFor();
  await alert.getByText("ask an administrator for the role").waitFor();
  await alert.getByRole("button", { name: "Close message" }).click();
  await alert.waitFor({ state: "hidden" });
});

test("monitor: figures, the load, trouble with its remedy", async ({ open, world }) => {
  const billing = await open(at(world.items[1]));
  await billing.getByText("the source keeps 11.4 GiB of its log for this mirror").waitFor();
  await billing.getByText("find what holds the mirror up").waitFor();
  assert.match(await billing.locator("tbody tr").first().innerText(), /ledger.entries[\s\S]*Failed/, "who is in trouble is first");
  const loading = await open(at(world.items[2]));
  await loading.getByRole("heading", { name: /^Loading, \d+ %/ }).waitFor();
  assert.ok(Number(await loading.getByRole("progressbar", { name: "Load" }).getAttribute("value")) > 0);
  const failed = await open(at(world.items[5]));
  await failed.getByText('password authentication failed for user "tain"').waitFor();
  await failed.getByText("check user and password").waitFor();
});

test("monitor of what is stopped: nothing there claims to be of now", async ({ open, world }) => {
  const page = await open(at(world.items[0]));
  const figure = async (label) => (await page.locator(".figures > div").filter({ has: page.locator("dt", { hasText: label }) }).innerText()).replace(/\s+/g, " ");
  await until(async () => /slowest table/.test(await figure("Lag")), "the slowest table");
  assert.doesNotMatch(await figure("Retained log"), /last ran/);
  world.items[0].status = "Stopped";
  await until(async () => /when the worker last ran/.test(await figure("Retained log")), "since when it is not looked at");
  assert.doesNotMatch(await figure("Lag"), /slowest/);
  world.items[0].tables = [];
  await until(async () => /^Tables 0 not known yet$/.test(await figure("Tables")), "no tables as yet");
});

test("charts can be had as tables", async ({ open, world }) => {
  const page = await open(at(world.items[0]));
  await button(page, "Freshness as a table").click();
  const table = page.getByRole("table", { name: "Freshness, newest first" });
  assert.ok((await table.getByRole("row").count()) > 10);
  assert.match(await page.getByRole("img", { name: /Lag: now .* least .* most/ }).getAttribute("aria-label"), /Latency/);
  await button(page, "2 h").click();
  await until(() => called(world, "series?minutes=120").length > 0, "a longer span is asked for");
});

test("a thousand tables: they come in portions, and are found", async ({ open, world }) => {
  const page = await open(at(world.items[6]));
  const rows = page.locator("tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 100);
  await button(page, "Show more").click();
  assert.equal(await rows.count(), 200);
  await page.getByRole("searchbox").fill("device_0777");
  await until(async () => (await rows.count()) === 1, "one table");
  await page.getByText("1 of 1,000 shown").waitFor();
});

test("table: columns, history, warnings; paused, resumed, loaded again", async ({ open, world }) => {
  const page = await open(at(world.items[0], "table/public/payments"));
  const columns = page.getByRole("table", { name: "Columns" });
  assert.match(await columns.getByRole("row", { name: /total/ }).innerText(), /numeric\(12,2\)\s+decimal\(12,2\)/);
  assert.match(await columns.getByRole("row", { name: /^id/ }).innerText(), /key/);
  await page.getByText("12 values of settled_at are infinity").waitFor();
  assert.match(await page.locator(".history li").first().innerText(), /tags added/);
  await button(page, "Pause…").click();
  await button(page, "Pause table").click();
  await until(async () => (await state(page)) === "Paused", "paused");
  await button(page, "Resume").click();
  await until(async () => (await state(page)) === "Running with warning", "running");
  await button(page, "Resync…").click();
  await button(page, "Load again").click();
  await until(async () => (await state(page)) === "Loading again", "loading");
});

test("times are the viewer's, UTC is in the title", async ({ open, world }) => {
  const page = await open(at(world.items[0], "activity"));
  const time = page.locator("tbody time").first();
  const [shown, iso, title] = [await time.innerText(), await time.getAttribute("datetime"), await time.getAttribute("title")];
  const local = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Zurich", timeStyle: "medium" }).format(new Date(iso));
  assert.ok(shown.endsWith(local), `${shown} ends with ${local}`);
  assert.equal(title, iso.replace("T", " ").replace("Z", " UTC"));
});

test("activity: filtered by operation, table and mirror; older ones on demand", async ({ open, world }) => {
  const page = await open("#/activity");
  const rows = page.locator("tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 50);
  await button(page, "Show older").click();
  await until(async () => (await rows.count()) === 100, "a second page");
  await page.getByLabel("Operation", { exact: true }).selectOption("FailTable");
  await until(async () => (await rows.count()) === 5, "failures alone");
  assert.match(await rows.first().innerText(), /User error/);
  await page.getByLabel("Mirror", { exact: true }).selectOption({ label: "shop" });
  await until(() => called(world, `item=${world.items[0].id}`).length > 0, "one mirror is asked for");
  await page.getByLabel("Operation", { exact: true }).selectOption("");
  await page.getByLabel("Table, as schema.table").fill("public.orders");
  await page.keyboard.press("Tab");
  await until(() => called(world, "schema=public&table=orders").length > 0, "one table is asked for");
});

test("query: by Ctrl + Enter, NULL is not nothing, an error has its remedy", async ({ open, world }) => {
  const page = await open(at(world.items[0], "query"));
  const sql = page.getByLabel("SQL");
  assert.match(await sql.inputValue(), /^SELECT \* FROM public\.customers/);
  await sql.focus();
  await page.keyboard.press("Control+Enter");
  const table = page.getByRole("table", { name: "Result of the query" });
  await table.waitFor();
  assert.match(await table.innerText(), /Ada Lovelace[\s\S]*NULL/);
  const download = page.waitForEvent("download");
  await button(page, "CSV").click();
  assert.equal((await download).suggestedFilename(), "query.csv");
  await sql.fill("DELETE FROM x");
  await button(page, "Run").click();
  await page.getByRole("alert").getByText("only reading is possible here").waitFor();
  await page.getByLabel("Begin with a table").selectOption("public.orders");
  assert.equal(await sql.inputValue(), "SELECT * FROM public.orders LIMIT 100");
});

test("log: searched", async ({ open, world }) => {
  const page = await open(at(world.items[0], "log"));
  const lines = page.getByRole("region", { name: "Lines of the log" });
  await lines.waitFor();
  await page.getByRole("searchbox").fill("warning");
  await until(async () => (await lines.innerText()).split("\n").every((l) => l.includes("warning")), "warnings alone");
});

test("settings: rename, a definition that is no JSON, one that is", async ({ open, world }) => {
  const page = await open(at(world.items[0], "settings"));
  const name = page.getByLabel("Name", { exact: true });
  await name.fill("shop 2");
  await button(page, "Rename").click();
  await page.getByRole("heading", { level: 1, name: "shop 2" }).waitFor();
  const definition = page.getByLabel("Definition (mirroring.json)");
  const text = await definition.inputValue();
  await definition.fill("{");
  await button(page, "Save definition").click();
  await page.getByText("This is not JSON").waitFor();
  await definition.fill(text.replace("500ms", "3s"));
  await button(page, "Save definition").click();
  await until(() => world.definitions.get(world.items[0].id)?.properties.tain.freshness === "3s", "the definition is kept");
});
