// SPDX-License-Identifier: MIT
import { type Theme, THEMES, useTheme } from "../state/theme";
import { Icon, type IconName } from "./icon";

const LOOK: Record<Theme, [IconName, string]> = { system: ["screen", "Colours as the system has them"], light: ["sun", "Light colours"], dark: ["moon", "Dark colours"] };

export function ThemeSwitch() {
  const [theme, choose] = useTheme();
  return (
    <div class="segments" role="group" aria-label="Colours">
      {THEMES.map((t) => (
        <button key={t} type="button" class="segment" aria-pressed={t === theme} aria-label={LOOK[t][1]} title={LOOK[t][1]} onClick={() => choose(t)}>
          <Icon name={LOOK[t][0]} />
        </button>
      ))}
    </div>
  );
}
