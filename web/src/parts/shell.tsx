// SPDX-License-Identifier: MIT
// shell.tsx -- what stays around every view: the sign, where one can go, who one is, light or dark.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as service from "../api/service";
import { hrefOf, type Route } from "../state/route";
import { mayAnywhere, useSession } from "../state/session";
import { useNotices } from "../state/notices";
import { Brand } from "./brand";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";
import { ThemeSwitch } from "./theme-switch";

type Place = { view: "mirrors" | "connections" | "activity" | "access"; label: string; icon: IconName };

const PLACES: readonly Place[] = [
  { view: "mirrors", label: "Mirrors", icon: "mirrors" },
  { view: "connections", label: "Connections", icon: "plug" },
  { view: "activity", label: "Activity", icon: "activity" },
  { view: "access", label: "Access", icon: "people" },
];

/** Which entry of the navigation a view belongs to. */
function placeOf(route: Route): Route["view"] {
  return route.view === "create" || route.view === "mirror" || route.view === "table" ? "mirrors" : route.view;
}

function Who() {
  const { me, again } = useSession();
  const notices = useNotices();
  const signOut = () => service.signOut().then(again, (e) => notices.fail("Signing out failed", e));
  return (
    <div class="who">
      <div class="who-text">
        <span class="who-name">{me.name || "Local owner"}</span>
        <span class="muted">{me.role || "roles by workspace"}</span>
      </div>
      {me.session && <Button kind="quiet" icon="out" label="Sign out" onClick={signOut} />}
    </div>
  );
}

export function Shell({ route, children }: { route: Route; children: ComponentChildren }) {
  const { me } = useSession();
  const [open, setOpen] = useState(false);
  const here = hrefOf(route);
  useEffect(() => setOpen(false), [here]);
  const places = PLACES.filter((p) => p.view !== "access" || me.id !== null || mayAnywhere(me, "admin"));
  return (
    <div class="shell">
      <a
        class="skip"
        href="#content"
        onClick={(e) => {
          e.preventDefault(); // what is behind the # is the route
          document.querySelector("h1")?.focus();
        }}
      >
        Skip to content
      </a>
      <header class={open ? "side open" : "side"} onKeyDown={(e) => e.key === "Escape" && setOpen(false)}>
        <a class="brand" href={hrefOf({ view: "mirrors" })} aria-label="tain, home">
          <Brand />
          <span>tain</span>
        </a>
        <button type="button" class="button quiet square menu" aria-expanded={open} aria-controls="navigation" aria-label="Menu" onClick={() => setOpen(!open)}>
          <Icon name={open ? "cross" : "menu"} />
        </button>
        <div class="side-body" id="navigation">
          <nav aria-label="Main">
            <ul>
              {places.map((p) => (
                <li key={p.view}>
                  <a class="place" href={hrefOf({ view: p.view })} aria-current={placeOf(route) === p.view ? "page" : undefined}>
                    <Icon name={p.icon} />
                    {p.label}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
          <div class="side-foot">
            <Who />
            <ThemeSwitch />
          </div>
        </div>
      </header>
      <main class="content" id="content">
        {children}
      </main>
    </div>
  );
}
