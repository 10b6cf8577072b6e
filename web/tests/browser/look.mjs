// SPDX-License-Identifier: MIT
// look.mjs -- the views there are to look at, by name: how one gets there, and what shows that it is there.
const MIRROR = "#/mirror/00000000-0000-4000-8000-000000000001/00000000-0000-4000-8000-00000000010";
const BILLING = "#/mirror/00000000-0000-4000-8000-000000000002/00000000-0000-4000-8000-000000000102";
const press = (name) => (page) => page.getByRole("button", { name, exact: true }).click();

export const VIEWS = [
  { name: "mirrors", at: "#/mirrors", ready: "table.grid" },
  { name: "monitor", at: `${MIRROR}1`, ready: ".u-wrap" },
  { name: "monitor-troubled", at: BILLING, ready: ".u-wrap" },
  { name: "monitor-loading", at: `${MIRROR}3`, ready: ".snapshot" },
  { name: "monitor-failed", at: `${MIRROR}6`, ready: ".note.error" },
  { name: "activity-of-mirror", at: `${MIRROR}1/activity`, ready: "table.grid" },
  { name: "query", at: `${MIRROR}1/query`, ready: "textarea", then: async (page) => { await press("Run")(page); await page.waitForSelector("table.grid"); } },
  { name: "log", at: `${MIRROR}1/log`, ready: "pre.log" },
  { name: "settings", at: `${MIRROR}1/settings`, ready: "textarea" },
  { name: "table", at: `${MIRROR}1/table/public/payments`, ready: ".history li" },
  { name: "stop-dialog", at: `${MIRROR}1`, ready: ".u-wrap", then: press("Stop") },
  { name: "drop-dialog", at: `${MIRROR}1`, ready: ".u-wrap", then: press("Drop…") },
  { name: "create-source", at: "#/new", ready: ".choice.cards" },
  { name: "create-new-connection", at: "#/new", ready: ".choice.cards", then: (page) => page.getByRole("radio", { name: /New connection/ }).check() },
  { name: "create-tables", at: "#/new", ready: ".choice.cards", then: async (page) => { await page.getByRole("radio", { name: /Shop/ }).check(); await press("Test and assess")(page); await page.getByRole("radio", { name: /Chosen/ }).check(); } },
  { name: "create-finish", at: "#/new", ready: ".choice.cards", then: async (page) => { await page.getByRole("radio", { name: /Shop/ }).check(); await press("Test and assess")(page); await press("Continue")(page); await page.getByText("Options", { exact: true }).click(); } },
  { name: "connections", at: "#/connections", ready: "table.grid", then: async (page) => { await press("Test Legacy ERP")(page); await page.waitForSelector(".grid .note"); } },
  { name: "connection-dialog", at: "#/connections", ready: "table.grid", then: press("New connection") },
  { name: "activity", at: "#/activity", ready: "table.grid" },
  { name: "access", at: "#/access", ready: "section:nth-of-type(3) table.grid" },
  { name: "user-dialog", at: "#/access", ready: "table.grid", then: press("New user") },
  { name: "token-dialog", at: "#/access", ready: "table.grid", then: async (page) => { await press("New token")(page); await page.getByLabel("Name", { exact: true }).fill("ci"); await press("Make token")(page); await page.waitForSelector("dialog pre"); } },
  { name: "lost", at: "#/nowhere", ready: ".empty" },
];
