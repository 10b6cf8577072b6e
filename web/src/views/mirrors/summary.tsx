// SPDX-License-Identifier: MIT
// summary.tsx -- how many are well, how many are not; each figure shows its mirrors.
import type { MirrorRow } from "../../api/types";
import { count } from "../../format/number";
import { rowState, type Tone } from "../../format/state";

export type Wanted = "all" | "running" | "attention" | "resting";

const LABELS: readonly [Wanted, string, Tone | null][] = [
  ["all", "All", null],
  ["running", "Running well", "ok"],
  ["attention", "Need attention", "warn"],
  ["resting", "Not running", "off"],
];

export function sums(mirrors: readonly MirrorRow[]): Record<Wanted, number> {
  const sum = { all: mirrors.length, running: 0, attention: 0, resting: 0 };
  for (const m of mirrors) {
    const { tone } = rowState(m);
    sum[tone === "ok" ? "running" : tone === "warn" || tone === "error" ? "attention" : "resting"]++;
  }
  return sum;
}

export function Summary({ mirrors, wanted, onWant }: { mirrors: readonly MirrorRow[]; wanted: Wanted; onWant: (w: Wanted) => void }) {
  const sum = sums(mirrors);
  return (
    <div class="summary" role="group" aria-label="Show mirrors by state">
      {LABELS.map(([which, label, tone]) => (
        <button key={which} type="button" class={`figure ${tone && sum[which] ? tone : ""}`} aria-pressed={wanted === which} onClick={() => onWant(which)}>
          <span class="figure-label">{label}</span>
          <span class="figure-value">{count(sum[which])}</span>
        </button>
      ))}
    </div>
  );
}
