// SPDX-License-Identifier: MIT
// browser.mjs -- Chromium for the tests: opened once, a fresh context each page; what a page complains of is an error of the test.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const WEB = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const SHOTS = process.env.SHOTS ?? path.join(WEB, "shots");
export const WIDE = { width: 1280, height: 860 };
export const NARROW = { width: 360, height: 740 };

export const hasChromium = () => existsSync(CHROMIUM);

export async function openBrowser() {
  mkdirSync(SHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

/** A page whose console errors and broken security rules are gathered in page.complaints. */
export async function openPage(browser, url, { theme = "light", size = WIDE, motion = "reduce", clock = false, prepare = null, ...rest } = {}) {
  const context = await browser.newContext({ viewport: size, colorScheme: theme, reducedMotion: motion, timezoneId: "Europe/Zurich", ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  page.complaints = [];
  if (clock) await page.clock.install(); // so that a test can let time pass
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  page.on("console", (m) => {
    if (m.type() === "error" && !/status of (4|5)\d\d/.test(m.text())) page.complaints.push(m.text());
  });
  await prepare?.(page); // before anything is asked
  await page.goto(url);
  return page;
}

/** What axe finds wrong, one line each. */
export async function axe(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(" ")}: ${n.failureSummary?.split("\n")[1]?.trim()}`));
}

/** Whether the page is wider than what shows it: then one has to scroll sideways. */
export const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** How far one can scroll beyond the end of what there is. */
export const emptyBelow = (page) =>
  page.evaluate(() => document.documentElement.scrollHeight - Math.max(innerHeight, Math.ceil(document.querySelector("main").getBoundingClientRect().bottom + scrollY)));

export async function shot(page, name, fullPage = true) {
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage });
}
