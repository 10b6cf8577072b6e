// SPDX-License-Identifier: MIT
// figures.tsx -- the numbers one looks at first.
import type { Monitor, SourceLog } from "../../api/types";
import { bytes, compact, count, plural } from "../../format/number";
import { lagTone, tally, type Tone } from "../../format/state";
import { duration, localTime, parseTime, utcTime } from "../../format/time";
import { Bar, Figure } from "../../parts/figure";
import { Ago } from "../../parts/time";
import { useNow } from "../../state/now";

const newest = (m: Monitor) => m.tables.map((t) => t.last_completed).filter((t): t is string => t !== null).sort().pop() ?? null;
const sum = (m: Monitor, of: "rows_replicated" | "rows_processed" | "bytes_processed") => m.tables.reduce((n, t) => n + (t[of] ?? 0), 0);

function logTone(log: SourceLog): Tone | undefined {
  return log.level === "warn" ? "warn" : log.level === "ok" || !log.level ? undefined : "error";
}

/** What limits the log the source keeps: the limit set here, or else what the server will still keep. */
export function logLimit(log: SourceLog): number | null {
  return log.limit_bytes ?? (log.safe_bytes && log.retained_bytes !== null ? log.retained_bytes + log.safe_bytes : null);
}

/** live: somebody looks at it; else it is what it was then. */
function Retained({ log, live }: { log: SourceLog; live: boolean }) {
  const limit = logLimit(log);
  const under = !live ? (
    "when the worker last ran"
  ) : limit ? (
    <>
      <Bar share={(log.retained_bytes ?? 0) / limit} label="Of the limit of retained log" />
      of {bytes(limit)}
    </>
  ) : (
    "no limit set"
  );
  return <Figure label="Retained log" value={bytes(log.retained_bytes)} tone={live ? logTone(log) : undefined} under={under} help="What the source keeps of its log until this mirror has it" />;
}

function Lag({ m }: { m: Monitor }) {
  const live = m.status === "Running" && m.lag_ms !== null;
  const latest = m.tables.reduce<number | null>((most, t) => (t.latency_ms !== null && (most === null || t.latency_ms > most) ? t.latency_ms : most), null);
  return (
    <Figure
      label="Lag"
      value={live ? duration(m.lag_ms) : "–"}
      tone={live ? lagTone(m.lag_ms) : undefined}
      under={!live || latest === null ? undefined : `slowest table ${duration(latest)}`}
      help="How old the newest change is that the source has and the lake has not"
    />
  );
}

function Worker({ m }: { m: Monitor }) {
  const now = useNow();
  const since = parseTime(m.startedDateTime);
  const restarts = plural(m.restarts ?? 0, "restart");
  if (!m.pid || !since) return <Figure label="Worker" value="–" under={m.restarts ? `not running, ${restarts}` : "not running"} />;
  return <Figure label="Worker up" value={<span title={`since ${localTime(since)} (${utcTime(since)})`}>{duration(now.getTime() - since.getTime())}</span>} under={`pid ${m.pid}, ${restarts}`} help="The process that does the work" />;
}

export function Figures({ m }: { m: Monitor }) {
  const t = tally(m);
  const bad = [t.error && `${t.error} failed`, t.warn && `${t.warn} to look at`, t.busy && `${t.busy} loading`].filter(Boolean).join(", ");
  return (
    <dl class="figures">
      <Lag m={m} />
      <Figure label="Rows replicated" value={<span title={count(sum(m, "rows_replicated"))}>{compact(sum(m, "rows_replicated"))}</span>} under={`${bytes(sum(m, "bytes_processed"))} processed`} help="Every insert, update and delete that was applied" />
      <Figure label="Last completed" value={<Ago at={newest(m)} />} under={m.epoch === null ? undefined : `epoch ${count(m.epoch)}`} />
      <Figure label="Tables" value={count(m.tables.length)} tone={t.error ? "error" : t.warn ? "warn" : undefined} under={bad || (!m.tables.length ? "not known yet" : t.off === m.tables.length ? "none is followed" : "all well")} />
      {m.sourceLog && <Retained log={m.sourceLog} live={Boolean(m.pid)} />}
      <Worker m={m} />
    </dl>
  );
}
