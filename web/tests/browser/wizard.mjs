// SPDX-License-Identifier: MIT
// wizard.mjs -- a mirror is made, with the keyboard alone; what goes wrong on the way is told, and can be mended there.
import assert from "node:assert/strict";
import { test, until } from "./suite.mjs";

const heading = (page, name) => page.getByRole("heading", { name }).waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const focused = (page) => page.evaluate(() => { const e = document.activeElement; return e ? (e.labels?.[0]?.textContent || e.getAttribute("aria-label") || e.textContent || "").trim() : ""; });

/** Presses Tab until what has the focus is called so. */
async function tabTo(page, name, most = 60) {
  for (let i = 0; i < most; i++) {
    if ((await focused(page)).startsWith(name)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${name}; at ${await focused(page)}`);
}

test("wizard by keyboard alone", async ({ open, world }) => {
  const page = await open("#/mirrors");
  await page.waitForSelector("table.grid");
  await tabTo(page, "New mirror");
  await page.keyboard.press("Enter");
  await heading(page, "New mirror");
  assert.equal(await focused(page), "New mirror", "the title of the new view has the focus");

  await page.waitForSelector(".choice.cards");
  await tabTo(page, "Shop, production");
  await page.keyboard.press("ArrowUp"); // round to the last: a new connection
  await tabTo(page, "Address");
  await page.keyboard.type("postgresql://tain@db7.internal/atlas");
  await tabTo(page, "Password");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Password");
  await page.keyboard.type("s3cret");
  await tabTo(page, "Test and assess");
  await page.keyboard.press("Enter");

  await heading(page, "Which tables?");
  await until(async () => (await focused(page)) === "Which tables?", "the title of the step has the focus");
  await tabTo(page, "All tables");
  await page.keyboard.press("ArrowRight");
  await tabTo(page, "public.payments");
  await page.keyboard.press("Space");
  await page.getByText("7 tables will be mirrored").waitFor();
  await tabTo(page, "Continue");
  await page.keyboard.press("Enter");

  await heading(page, "What is it called?");
  await tabTo(page, "Name of the mirror");
  assert.equal(await page.getByLabel("Name of the mirror").inputValue(), "atlas");
  await tabTo(page, "Options");
  await page.keyboard.press("Enter");
  await tabTo(page, "Freshness");
  await page.keyboard.type("2s");
  await tabTo(page, "Start mirroring");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "atlas" }).waitFor();

  const made = world.items.at(-1);
  const { properties: p } = world.definitions.get(made.id);
  assert.equal(made.displayName, "atlas");
  assert.equal(made.status, "Running");
  assert.deepEqual(p.tain, { freshness: "2s" });
  assert.equal(p.mountedTables.length, 7);
  assert.ok(!p.mountedTables.some((t) => t.source.typeProperties.tableName === "payments"));
  const connection = world.connections.find((c) => c.id === p.source.typeProperties.connection);
  assert.deepEqual([connection.url, connection.secret, connection.displayName], ["postgresql://tain@db7.internal/atlas", "sealed", "atlas"]);
});

test("wizard in few presses: a connection that is there, all tables", async ({ open, world }) => {
  const page = await open("#/new");
  await page.getByRole("radio", { name: /CRM file/ }).check();
  await button(page, "Test and assess").click();
  await button(page, "Continue").click();
  await button(page, "Start mirroring").click();
  // The suggested name is taken.
  const alert = page.getByRole("alert").filter({ hasText: "There is a mirrored database crm already" });
  await alert.waitFor();
  await alert.getByText("choose another name").waitFor();
  await page.getByLabel("Name of the mirror").fill("crm copy");
  await button(page, "Start mirroring").click();
  await page.getByRole("heading", { level: 1, name: "crm copy" }).waitFor();
  const p = world.definitions.get(world.items.at(-1).id).properties;
  assert.equal(p.mountedTables, undefined, "all tables, later ones too");
  assert.equal(p.target.typeProperties.defaultSchema, "main");
});

test("wizard says what a connection lacks, and mends it without making another", async ({ open, world }) => {
  const page = await open("#/new");
  const before = world.connections.length;
  await page.getByRole("radio", { name: /New connection/ }).check();
  await button(page, "Test and assess").click();
  await page.getByText("The address is needed.").waitFor();
  await page.getByRole("textbox", { name: "Address", exact: true }).fill("shop.db");
  await page.getByText("This is no address tain knows").waitFor();
  await page.getByRole("textbox", { name: "Address", exact: true }).fill("postgresql://tain@wrong/shop");
  await button(page, "Test and assess").click();
  await page.getByRole("alert").getByText("password authentication failed").waitFor();
  await page.getByRole("alert").getByText("check user and password").waitFor();
  await page.getByRole("textbox", { name: "Address", exact: true }).fill("postgresql://tain@right/shop");
  await button(page, "Test and assess").click();
  await heading(page, "Which tables?");
  assert.equal(world.connections.length, before + 1);
  assert.equal(world.connections.at(-1).url, "postgresql://tain@right/shop");
});

test("wizard that is left leaves no connection behind", async ({ open, world }) => {
  const before = world.connections.length;
  const begin = async (page) => {
    await page.getByRole("radio", { name: /New connection/ }).check();
    await page.getByRole("textbox", { name: "Address", exact: true }).fill("postgresql://tain@right/shop");
    await button(page, "Test and assess").click();
    await heading(page, "Which tables?");
    assert.equal(world.connections.length, before + 1);
  };
  const none = () => until(() => world.connections.length === before, "no connection is left");
  const page = await open("#/new");
  await begin(page);
  await page.getByRole("link", { name: "Activity" }).first().click();
  await none();
  await page.goto(page.url().replace(/#.*/, "#/new"));
  await begin(page);
  await page.reload();
  await none();
  await begin(page);
  await button(page, "Back").click();
  await page.getByRole("radio", { name: /CRM file/ }).check();
  await button(page, "Test and assess").click();
  await button(page, "Continue").click();
  await page.getByLabel("Name of the mirror").fill("by another");
  await button(page, "Start mirroring").click();
  await page.getByRole("heading", { level: 1, name: "by another" }).waitFor();
  await none();
});

test("wizard shows why a table cannot be mirrored, and the SQL for it", async ({ open }) => {
  const page = await open("#/new");
  await page.getByRole("radio", { name: /Shop/ }).check();
  await button(page, "Test and assess").click();
  const line = page.getByRole("listitem").filter({ hasText: "public.sessions" });
  await line.getByText("it is unlogged").waitFor();
  await line.getByText("ALTER TABLE public.sessions SET LOGGED;").waitFor();
  await line.getByText("Cannot be mirrored").waitFor({ state: "attached" });
  await page.getByRole("radio", { name: /Chosen/ }).check();
  assert.equal(await page.getByRole("checkbox", { name: "public.sessions" }).isDisabled(), true);
  await page.getByRole("searchbox").fill("orders");
  assert.equal(await page.getByRole("checkbox").count(), 1);
  await page.getByRole("searchbox").fill("");
  await button(page, "Untick").click();
  assert.equal(await button(page, "Continue").isDisabled(), true, "nothing is chosen");
});

test("wizard goes on after a start that failed, without making the mirror twice", async ({ open, world }) => {
  const page = await open("#/new");
  let fails = true;
  world.fault = (_m, path) => (fails && path.endsWith("startMirroring") ? { status: 500, errorCode: "UnknownError", message: "The worker did not start.", remedy: "look into the log" } : null);
  await page.getByRole("radio", { name: /Shop/ }).check();
  await button(page, "Test and assess").click();
  await button(page, "Continue").click();
  await page.getByLabel("Name of the mirror").fill("twice");
  await button(page, "Start mirroring").click();
  await page.getByRole("alert").getByText("The worker did not start.").waitFor();
  fails = false;
  await button(page, "Start mirroring").click();
  await page.getByRole("heading", { level: 1, name: "twice" }).waitFor();
  assert.equal(world.items.filter((i) => i.displayName === "twice").length, 1);
});
