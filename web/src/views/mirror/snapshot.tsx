// SPDX-License-Identifier: MIT
// snapshot.tsx -- how far the load is.
import type { Progress } from "../../api/types";
import { bytes, compact, share } from "../../format/number";
import { duration } from "../../format/time";
import { Bar } from "../../parts/figure";

export function Snapshot({ progress: p }: { progress: Progress }) {
  const done = p.rows !== null && p.rows_total ? p.rows / p.rows_total : null;
  return (
    <section class="panel snapshot" aria-label="Load">
      <div class="snapshot-head">
        <h2>Loading{done !== null ? `, ${share(done)}` : ""}</h2>
        <span class="muted">
          {compact(p.rows)} of {compact(p.rows_total)} rows · {compact(p.rows_per_second)} rows/s · {bytes(p.bytes_per_second)}/s
          {p.seconds_left !== null && ` · ${duration(p.seconds_left * 1000)} left`}
        </span>
      </div>
      {done !== null && <Bar share={done} label="Load" />}
    </section>
  );
}
