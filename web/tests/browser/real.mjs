// SPDX-License-Identifier: MIT
// real.mjs -- the page against a running service: TAIN_URL=... VALUES='{"name": ...}' node tests/browser/real.mjs [words of names...]
// tests/scenario/serve_page_test.py starts services with sources for it, changes the sources in between, and names the tests.
import assert from "node:assert/strict";
import { axe, NARROW, shot, sideways } from "./browser.mjs";
import { runTests, test, until } from "./suite.mjs";

const values = JSON.parse(process.env.VALUES ?? "{}");
const SLOW = 60_000;
const button = (page, name) => page.getByRole("button", { name, exact: true });
const state = (page) => page.locator(".view-name .badge").innerText();

const elsewhere = { extraHTTPHeaders: { "X-Forwarded-For": "192.0.2.7" }, ignoreHTTPSErrors: true };

async function signIn(page, password = values.password) {
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
}

/** The page as the owner of the service has it, or as the user that is named: from elsewhere, signed in. */
async function come(open, at = "") {
  if (!values.as) return open(at);
  const page = await open(at, elsewhere);
  await page.getByLabel("Name").fill(values.as.name);
  await signIn(page, values.as.password);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  return page;
}

async function openMirror(open, tab) {
  const page = await come(open);
  await page.getByRole("link", { name: values.name, exact: true }).click();
  await page.getByRole("heading", { level: 1, name: values.name }).waitFor();
  if (tab) await page.getByRole("link", { name: tab, exact: true }).last().click();
  return page;
}

/** The cell of a table's row in the monitor, below that heading. */
async function cell(page, table, heading) {
  const heads = await page.getByRole("table", { name: "Tables of the mirror" }).getByRole("columnheader").allInnerTexts();
  const at = heads.findIndex((h) => h.startsWith(heading));
  return page.getByRole("row").filter({ has: page.getByRole("link", { name: table, exact: true }) }).locator("th, td").nth(at);
}

const rowsOf = async (page, table) => Number((await (await cell(page, table, "Rows")).locator("[title]").getAttribute("title")).replaceAll(",", ""));

test("make", async ({ open }) => {
  const page = await come(open);
  await page.getByRole("link", { name: "New mirror" }).click();
  const another = page.getByRole("radio", { name: /New connection/ });
  const address = page.getByRole("textbox", { name: "Address", exact: true });
  await until(async () => (await another.isVisible()) || (await address.isVisible()), "the first step");
  if (await another.isVisible()) await another.check();
  await address.fill(values.wrong ?? values.address);
  if (values.wrong) {
    await button(page, "Test and assess").click();
    await page.locator(".wizard").getByRole("alert").waitFor({ timeout: SLOW });
    await shot(page, `real-${values.name}-wrong`);
    assert.notEqual(await page.locator(".wizard [role=alert] .note-title").innerText(), "");
    await address.fill(values.address);
  }
  if (values.password) await page.getByLabel("Password", { exact: true }).last().fill(values.password);
  await button(page, "Test and assess").click();
  await page.getByRole("heading", { name: "Which tables?" }).waitFor({ timeout: SLOW });
  await page.getByRole("listitem").filter({ hasText: values.table }).first().waitFor();
  for (const text of values.findings ?? []) await page.getByText(text).first().waitFor();
  if (values.without) {
    await page.getByRole("radio", { name: /Chosen tables/ }).check();
    await page.getByRole("checkbox", { name: values.without, exact: true }).uncheck();
  }
  await shot(page, `real-${values.name}-assess`);
  await button(page, "Continue").click();
  await page.getByLabel("Name of the mirror").fill(values.name);
  if (values.freshness) {
    await page.getByText("Options", { exact: true }).click();
    await page.getByLabel(/^Freshness/).fill(values.freshness);
  }
  await button(page, "Start mirroring").click();
  await page.getByRole("heading", { level: 1, name: values.name }).waitFor({ timeout: SLOW });
  await until(async () => /^Running/.test(await state(page)), "it runs", 60);
  await until(async () => (await page.getByRole("link", { name: values.table, exact: true }).count()) === 1 && (await rowsOf(page, values.table)) === values.rows, `${values.rows} rows of ${values.table}`, 60);
  assert.equal(await (await cell(page, values.table, "Status")).innerText(), "Running");
  await shot(page, `real-${values.name}-made`);
});

test("rows", async ({ open }) => {
  const page = await openMirror(open);
  await until(async () => (await rowsOf(page, values.table)) === values.rows, `${values.rows} rows of ${values.table}`, 30);
  await until(async () => (await page.locator(".u-wrap").count()) === 2, "charts", 40);
  assert.match(await page.getByRole("img", { name: /Lag: now/ }).getAttribute("aria-label"), /now \d/);
});

test("steer", async ({ open }) => {
  const page = await openMirror(open);
  const comes = (label) => until(async () => (await state(page)).startsWith(label), label, 60);
  await button(page, "Pause").click();
  await comes("Paused");
  await button(page, "Resume").click();
  await comes("Running");
  await button(page, "Stop").click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await comes("Stopped");
  await button(page, "Start").click();
  await comes("Running");
});

test("table", async ({ open }) => {
  const page = await openMirror(open);
  await page.getByRole("link", { name: values.table, exact: true }).click();
  await page.getByRole("heading", { level: 1, name: values.table }).waitFor();
  const columns = page.getByRole("table", { name: "Columns" });
  await columns.waitFor({ timeout: SLOW });
  for (const name of values.columns) assert.equal(await columns.getByRole("rowheader", { name: new RegExp(`^${name}`) }).count(), 1, name);
  await shot(page, `real-${values.name}-table`);
  await button(page, "Resync…").click();
  await button(page, "Load again").click();
  await until(async () => /^Running/.test(await state(page)), "running after it was loaded again", 60);
});

test("rest", async ({ open }) => {
  const page = await openMirror(open);
  await page.getByRole("link", { name: values.table, exact: true }).click();
  await button(page, "Pause…").click();
  await button(page, "Pause table").click();
  await until(async () => (await state(page)) === "Paused", "paused", 60);
  await button(page, "Resume").click();
  await until(async () => /^Running/.test(await state(page)), "running", 60);
});

test("follows", async ({ open }) => {
  const page = await openMirror(open);
  await page.getByRole("link", { name: values.table, exact: true }).waitFor({ timeout: SLOW });
  await until(async () => (await (await cell(page, values.table, "Status")).innerText()) === "Running", `${values.table} is followed`, 60);
  await shot(page, `real-${values.name}-follows`);
});

test("secret", async ({ open }) => {
  const page = await openMirror(open);
  await until(async () => /^Failed/.test(await state(page)), "it failed", 60);
  assert.match(await page.locator(".troubles").innerText(), /password/);
  await shot(page, `real-${values.name}-refused`);
  await page.getByRole("link", { name: "Connections", exact: true }).click();
  await page.getByRole("button", { name: /^Change / }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Password", { exact: true }).last().fill(values.password);
  await button(dialog, "Save").click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Mirrors", exact: true }).click();
  await page.getByRole("link", { name: values.name, exact: true }).click();
  await until(async () => /^Running/.test(await state(page)), "it runs again", 60);
});

test("owner", async ({ open }) => {
  const page = await openMirror(open, "Settings");
  await page.getByLabel("Owner (name of a user)").fill(values.owner);
  await button(page, "Transfer").click();
  await page.getByText(`${values.owner} owns it now`).waitFor();
});

test("query", async ({ open }) => {
  const page = await openMirror(open, "Query");
  await page.getByLabel("SQL").fill(`SELECT count(*) AS n FROM ${values.table}`);
  await page.keyboard.press("Control+Enter");
  const result = page.getByRole("table", { name: "Result of the query" });
  await result.waitFor({ timeout: SLOW });
  assert.equal(await result.getByRole("cell").innerText(), String(values.rows));
  await page.getByLabel("SQL").fill("SELECT nonsense FROM nowhere");
  await page.keyboard.press("Control+Enter");
  await page.locator(".query [role=alert]").waitFor({ timeout: SLOW });
  assert.match(await page.locator(".query [role=alert]").innerText(), /nowhere/);
});

test("records", async ({ open }) => {
  const page = await openMirror(open, "Activity");
  await until(async () => (await page.locator("tbody tr").count()) > 2, "operations");
  await page.getByLabel("Operation", { exact: true }).selectOption("AddTable");
  await until(async () => (await page.locator("tbody td").allInnerTexts()).includes("Add table"), "tables that were added");
  await page.getByRole("link", { name: "Log", exact: true }).click();
  await until(async () => (await page.getByRole("region", { name: "Lines of the log" }).innerText()).length > 20, "lines of the log");
  await page.getByRole("link", { name: "Settings", exact: true }).click();
  assert.match(await page.getByLabel("Definition (mirroring.json)").inputValue(), /"MountedRelationalDatabase"/);
});

test("access", async ({ open }) => {
  const page = await open("#/access");
  await button(page, "New user").click();
  await page.getByLabel("Name", { exact: true }).fill("grace");
  await page.getByLabel("Password").fill("a password of some length");
  await button(page, "Save").click();
  await page.getByRole("row", { name: /grace viewer/ }).waitFor();
  await button(page, "New token").click();
  await page.getByLabel("Name", { exact: true }).fill("ci");
  await button(page, "Make token").click();
  await page.getByText(/^tain_/).waitFor();
  await button(page, "Done").click();
  await page.getByRole("row", { name: /ci grace viewer/ }).waitFor();
  await page.getByRole("table", { name: "Audit log" }).getByText("user.create").waitFor();
  await button(page, "Revoke ci").click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("No tokens.").waitFor();
});

test("appearance", async ({ open }) => {
  for (const [theme, size] of [["light", undefined], ["dark", undefined], ["light", NARROW]]) {
    const page = await open("", { theme, ...(size ? { size } : {}) });
    await page.waitForSelector("table.grid");
    const look = async (name) => {
      assert.deepEqual(await axe(page), [], `${name} ${theme}`);
      assert.equal(await sideways(page), 0, `${name} is wider than ${size?.width ?? "the screen"}`);
      await shot(page, `real-${name}-${size ? "narrow" : theme}`);
    };
    await look("mirrors");
    await page.getByRole("link", { name: values.name, exact: true }).click();
    await page.waitForSelector(".figures");
    await look("monitor");
    for (const tab of ["Activity", "Query", "Log", "Settings"]) {
      await page.getByRole("navigation", { name: "Mirror" }).getByRole("link", { name: tab }).click();
      await page.locator("table.grid, textarea, pre.log").first().waitFor();
      await look(tab.toLowerCase());
    }
    for (const [place, ready] of [["connections", "table.grid"], ["access", "section:nth-of-type(3) .grid-frame"], ["activity", "table.grid"], ["new", ".wizard"]]) {
      await page.goto(page.url().replace(/#.*/, `#/${place}`));
      await page.waitForSelector(ready);
      await look(place);
    }
  }
});

test("sign-in", async ({ open }) => {
  const page = await open("#/mirrors", elsewhere);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Name").fill(values.user);
  await signIn(page, "wrong");
  await page.getByRole("alert").locator(".note-title").waitFor();
  await signIn(page);
  await page.getByRole("heading", { level: 1, name: "Mirrors" }).waitFor();
  await page.getByText(values.user, { exact: true }).waitFor();
  await page.getByRole("heading", { name: "Nothing is mirrored yet" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "New mirror" }).count(), 0, "viewers make none");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Mirrors" }).waitFor();
  await button(page, "Sign out").click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("drop", async ({ open }) => {
  const page = await openMirror(open);
  await button(page, "Drop…").click();
  await page.keyboard.type(values.name);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Mirrors" }).waitFor({ timeout: SLOW });
  assert.equal(await page.getByRole("link", { name: values.name, exact: true }).count(), 0);
});

const service = { url: process.env.TAIN_URL, close: async () => {} };
process.exit((await runTests(async () => service, process.argv.slice(2))) ? 1 : 0);
