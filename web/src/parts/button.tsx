// SPDX-License-Identifier: MIT
// button.tsx -- something that acts. While it does, it cannot be pressed again, but keeps the focus.
import type { ComponentChildren, Ref } from "preact";
import { useState } from "preact/hooks";
import { Icon, type IconName } from "./icon";

interface Props {
  children?: ComponentChildren;
  icon?: IconName | undefined;
  kind?: "plain" | "primary" | "danger" | "quiet";
  type?: "button" | "submit";
  /** What it says when it shows an icon only. */
  label?: string | undefined;
  disabled?: boolean;
  busy?: boolean;
  small?: boolean;
  title?: string | undefined;
  pressed?: boolean;
  onClick?: (() => void | Promise<unknown>) | undefined;
  buttonRef?: Ref<HTMLButtonElement>;
}

export function Button(p: Props) {
  const [acting, setActing] = useState(false);
  const busy = acting || (p.busy ?? false);
  const click = async () => {
    if (busy || !p.onClick) return;
    const done = p.onClick();
    if (!(done instanceof Promise)) return;
    setActing(true);
    try {
      await done;
    } finally {
      setActing(false);
    }
  };
  const style = `button ${p.kind ?? "plain"}${p.small ? " small" : ""}${p.children ? "" : " square"}`;
  return (
    <button class={style} type={p.type ?? "button"} disabled={p.disabled ?? false} aria-disabled={busy || undefined} aria-label={p.label} aria-pressed={p.pressed} title={p.title ?? (p.children ? undefined : p.label)} onClick={click} ref={p.buttonRef ?? null}>
      {busy ? <Icon name="busy" spin /> : p.icon && <Icon name={p.icon} />}
      {p.children && <span>{p.children}</span>}
    </button>
  );
}
