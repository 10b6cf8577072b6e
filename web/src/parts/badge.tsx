// SPDX-License-Identifier: MIT
// badge.tsx -- a state as shape, colour and word.
import type { ComponentChildren } from "preact";
import type { State, Tone } from "../format/state";
import { Icon, type IconName } from "./icon";

export const TONE_ICON: Record<Tone, IconName> = { ok: "ok", warn: "warn", error: "error", busy: "busy", off: "off" };

export function Badge({ state, title }: { state: State; title?: string | undefined }) {
  return (
    <span class={`badge ${state.tone}`} title={title}>
      <Icon name={TONE_ICON[state.tone]} size={14} spin={state.tone === "busy"} />
      <span>{state.label}</span>
    </span>
  );
}

/** A word in a tone, without its ground. */
export function Toned({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`toned ${tone}`}>{children}</span>;
}
