// SPDX-License-Identifier: MIT
import { render } from "preact";
import { askEarly } from "./api/http";
import { App } from "./app";
import { parseRoute } from "./state/route";
import { applyStoredTheme } from "./state/theme";
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";
import "./style/parts.css";
import "./style/views.css";

askEarly("v1/me");
if (parseRoute(location.hash).view === "mirrors") askEarly("v1/mirrors"); // what most come for does not wait for who they are
applyStoredTheme();
render(<App />, document.getElementById("page")!);
