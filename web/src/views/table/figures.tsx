// SPDX-License-Identifier: MIT
import type { TableDetail } from "../../api/types";
import { bytes, compact, count, share } from "../../format/number";
import { healthTone } from "../../format/state";
import { duration } from "../../format/time";
import { Figure } from "../../parts/figure";
import { Ago } from "../../parts/time";

function Health({ t }: { t: TableDetail }) {
  const h = t.health;
  if (!h) return <Figure label="Health" value="–" under="not known yet" />;
  const tone = healthTone(h.score);
  return <Figure label="Health" value={h.score} tone={tone === "ok" ? undefined : tone} under={`${count(h.files)} files of ${bytes(h.average_bytes)}, ${share(h.deleted_share)} deleted`} help="How good the table's files are to read, of 100" />;
}

export function TableFigures({ t }: { t: TableDetail }) {
  return (
    <dl class="figures">
      <Figure label="Rows replicated" value={<span title={count(t.rows_replicated)}>{compact(t.rows_replicated)}</span>} under={`${count(t.rows_processed)} processed`} />
      <Figure label="Processed" value={bytes(t.bytes_processed)} />
      <Figure label="Last completed" value={<Ago at={t.last_completed} />} />
      <Figure label="Latency" value={duration(t.latency_ms)} help="Of the newest change: from its commit in the source to its commit in the lake" />
      <Health t={t} />
      <Figure label="Delta version" value={count(t.deltaVersion)} />
    </dl>
  );
}
