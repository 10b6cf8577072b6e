// SPDX-License-Identifier: MIT
// charts.tsx -- freshness and throughput of the last hour or so. A sample comes each ten seconds: it is not asked for more often.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import { rate } from "../../format/number";
import { duration } from "../../format/time";
import { Chart } from "../../parts/chart";
import { Failure } from "../../parts/note";
import { usePoll } from "../../state/poll";

const SPANS: readonly [minutes: number, label: string][] = [
  [15, "15 min"],
  [60, "1 h"],
  [120, "2 h"],
];

const EVERY = 10_000;
const perSecond = (v: number | null) => (v === null ? "–" : `${rate(v)}/s`);

export function Charts({ id }: { id: service.MirrorId }) {
  const [minutes, setMinutes] = useState(15);
  const { data: s, error } = usePoll(`${id.id}/series/${minutes}`, (signal) => service.series(id, minutes, signal), EVERY);
  const known = s && s.times.length > 1;
  return (
    <section class="panel" aria-label="Charts">
      <div class="panel-head">
        <h2>Freshness and throughput</h2>
        <div class="segments" role="group" aria-label="Time shown">
          {SPANS.map(([m, label]) => (
            <button key={m} type="button" class="segment" aria-pressed={m === minutes} onClick={() => setMinutes(m)}>
              {label}
            </button>
          ))}
        </div>
      </div>
      <Failure error={error} />
      <div class="charts">
        {known && (
          <>
            <Chart title="Freshness" times={s.times} minutes={minutes} show={duration} least={1000} lines={[{ label: "Lag", values: s.lagMs, fill: true }, { label: "Latency", values: s.latencyMs }]} />
            <Chart title="Throughput" times={s.times} minutes={minutes} show={perSecond} least={10} lines={[{ label: "Rows", values: s.rowsPerSecond, fill: true }]} />
          </>
        )}
        {!known && <p class="muted chart-none">{s ? "The first samples come within seconds of running." : "…"}</p>}
      </div>
    </section>
  );
}
