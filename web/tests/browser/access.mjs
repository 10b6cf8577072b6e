// SPDX-License-Identifier: MIT
// access.mjs -- signing in, what each role sees, connections, users and tokens.
import assert from "node:assert/strict";
import { axe, NARROW, shot } from "./browser.mjs";
import { test, until } from "./suite.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const signedOut = { id: null, name: null, role: null, workspaces: {}, session: false, login: true };

test("signing in: only when the service says so; wrong is told; then out again", async ({ open, world }) => {
  world.me = signedOut;
  for (const [theme, size] of [["light", undefined], ["dark", NARROW]]) {
    const page = await open("", { theme, ...(size ? { size } : {}) });
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(await axe(page), []);
    await shot(page, `sign-in-${theme}`);
  }
  const page = await open("#/connections");
  await page.getByLabel("Name").fill("ada");
  await page.getByLabel("Password").fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Name or password are not right.").waitFor();
  await page.getByLabel("Password").fill("correct horse");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Connections" }).waitFor();
  await button(page, "Sign out").click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a session that ends leads to signing in", async ({ open, world }) => {
  const page = await open();
  await page.waitForSelector("table.grid");
  world.me = signedOut;
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("viewers see everything and are offered nothing they may not", async ({ open, world }) => {
  world.me = { id: "u", name: "vera", role: "viewer", workspaces: {}, session: true, login: true };
  const page = await open();
  await page.waitForSelector("table.grid");
  assert.equal(await page.getByRole("link", { name: "New mirror" }).count(), 0);
  await page.getByRole("link", { name: "shop" }).click();
  await page.waitForSelector(".figures");
  for (const name of ["Pause", "Stop", "Resync…", "Drop…"]) assert.equal(await button(page, name).count(), 0, name);
  await page.getByRole("link", { name: "Access" }).click();
  await page.getByRole("heading", { name: "Tokens" }).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Users" }).count(), 0);
});

test("a role in one workspace holds there alone", async ({ open, world }) => {
  world.me = { id: "u", name: "carl", role: "viewer", workspaces: { [world.workspaces[1].id]: "contributor" }, session: true, login: true };
  const page = await open(`#/mirror/${world.items[1].workspaceId}/${world.items[1].id}`);
  await button(page, "Pause").waitFor();
  await page.goto(page.url().replace(/#.*/, `#/mirror/${world.items[0].workspaceId}/${world.items[0].id}`));
  await page.getByRole("heading", { level: 1, name: "shop" }).waitFor();
  assert.equal(await button(page, "Pause").count(), 0);
});

test("connections: made, tested, changed, not deleted while used", async ({ open, world }) => {
  const page = await open("#/connections");
  await button(page, "New connection").click();
  const dialog = page.getByRole("dialog", { name: "New connection" });
  await dialog.getByLabel("Address").fill("postgresql://u:p%40ss@db9/atlas");
  await dialog.getByText("The password in it is taken out and kept sealed.").waitFor();
  await dialog.getByLabel("Name of the connection").fill("Atlas");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  const row = page.getByRole("row", { name: /Atlas/ });
  assert.match(await row.innerText(), /postgresql:\/\/u@db9\/atlas[\s\S]*Sealed/);
  await button(page, "Test Atlas").click();
  await row.getByText("Answers").waitFor();
  await button(page, "Change Legacy ERP").click();
  const change = page.getByRole("dialog", { name: "Change Legacy ERP" });
  assert.equal(await change.getByLabel("Name of the variable").inputValue(), "ERP_PASSWORD");
  await change.getByRole("radio", { name: "File" }).check();
  await change.getByLabel("Path of the file").fill("/run/secrets/erp");
  await change.getByRole("button", { name: "Save" }).click();
  await until(() => world.connections.find((c) => c.displayName === "Legacy ERP").secret === "file:/run/secrets/erp", "changed");
  await button(page, "Delete Shop, production").click();
  await button(page, "Delete connection").click();
  await page.getByRole("dialog").getByText("The mirrored database shop uses this connection.").waitFor();
});

test("users: made with roles, changed, deleted", async ({ open, world }) => {
  const page = await open("#/access");
  await button(page, "New user").click();
  const dialog = page.getByRole("dialog", { name: "New user" });
  await dialog.getByLabel("Name", { exact: true }).fill("mary");
  await dialog.getByLabel("Password").fill("short");
  await dialog.getByText("At least 8 characters.").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Save" }).isDisabled(), true);
  await dialog.getByLabel("Password").fill("long enough");
  await dialog.getByLabel("Role in Finance").selectOption("contributor");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /mary viewer, contributor in Finance/ }).waitFor();
  await button(page, "Change mary").click();
  await page.getByRole("checkbox", { name: "Disabled" }).check();
  await button(page, "Save").click();
  await page.getByRole("row", { name: /mary .* Disabled/ }).waitFor();
  await button(page, "Delete mary").click();
  await button(page, "Delete user").click();
  await until(() => !world.users.some((u) => u.name === "mary"), "deleted");
});

test("tokens: shown once, revoked", async ({ open, world }) => {
  const page = await open("#/access");
  await button(page, "New token").click();
  await page.getByLabel("Name", { exact: true }).fill("ci");
  await button(page, "Make token").click();
  await page.getByText(/^tain_made-up/).waitFor();
  await button(page, "Done").click();
  assert.equal(await page.getByText(/^tain_made-up/).count(), 0);
  await button(page, "Revoke ci").click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await until(() => !world.tokens.some((t) => t.name === "ci"), "revoked");
});
