// SPDX-License-Identifier: MIT
// run.mjs -- every browser test against the made-up service: node tests/browser/run.mjs [words of names...]
import { startMock } from "../../mock/server.mjs";
import { hasChromium } from "./browser.mjs";
import { runTests } from "./suite.mjs";
import "./access.mjs";
import "./appearance.mjs";
import "./wizard.mjs";
import "./monitoring.mjs";
import "./polling.mjs";

if (!hasChromium()) {
  console.log("skipped: no Chromium (apt-get install chromium, or CHROMIUM=path)");
  process.exit(0);
}
process.exit((await runTests(() => startMock(), process.argv.slice(2))) ? 1 : 0);
