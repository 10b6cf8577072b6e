// SPDX-License-Identifier: MIT
// figure.tsx -- one number that matters, what it is, and a word on it.
import type { ComponentChildren } from "preact";
import type { Tone } from "../format/state";

interface Props {
  label: string;
  value: ComponentChildren;
  under?: ComponentChildren;
  tone?: Tone | undefined;
  help?: string;
}

export function Figure({ label, value, under, tone, help }: Props) {
  return (
    <div class={`figure ${tone ?? ""}`} title={help}>
      <dt class="figure-label">{label}</dt>
      <dd class="figure-value">{value}</dd>
      {under && <dd class="figure-under">{under}</dd>}
    </div>
  );
}

export function Bar({ share, label }: { share: number; label: string }) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return <progress class="bar" max={100} value={percent} aria-label={label} />;
}
