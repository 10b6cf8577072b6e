// SPDX-License-Identifier: MIT
import { render } from "preact";
import { App } from "./app";
import { applyStoredTheme } from "./state/theme";
import "./style/tokens.css";
import "./style/base.css";
import "./style/layout.css";
import "./style/parts.css";
import "./style/views.css";

applyStoredTheme();
render(<App />, document.getElementById("page")!);
