// SPDX-License-Identifier: MIT
// theme.ts -- light, dark, or what the system has; remembered in this browser.
import { useEffect, useState } from "preact/hooks";

export type Theme = "system" | "light" | "dark";
const KEY = "tain.theme";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

function show(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Before anything is drawn. */
export function applyStoredTheme(): void {
  show(stored());
}

export function useTheme(): [Theme, (t: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(stored);
  const choose = (t: Theme) => {
    setTheme(t);
    show(t);
    try {
      localStorage.setItem(KEY, t);
    } catch {
      // A browser that keeps nothing: it holds until the page is left.
    }
    dispatchEvent(new Event("tain-theme"));
  };
  return [theme, choose];
}

/** Grows by one whenever colours change, whoever changed them. */
export function useThemeTurns(): number {
  const [turns, setTurns] = useState(0);
  useEffect(() => {
    const turned = () => setTurns((n) => n + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("tain-theme", turned);
    system.addEventListener("change", turned);
    return () => {
      removeEventListener("tain-theme", turned);
      system.removeEventListener("change", turned);
    };
  }, []);
  return turns;
}
