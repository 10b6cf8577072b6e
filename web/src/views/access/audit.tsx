// SPDX-License-Identifier: MIT
// audit.tsx -- who did what, newest first.
import * as service from "../../api/service";
import type { AuditEntry } from "../../api/types";
import { Badge } from "../../parts/badge";
import { Grid, type GridColumn } from "../../parts/grid";
import { Failure } from "../../parts/note";
import { Time } from "../../parts/time";
import { usePoll } from "../../state/poll";
import type { State } from "../../format/state";

const EVERY = 5_000;

function outcome(name: string | undefined): State {
  if (name === "denied") return { tone: "warn", label: "Denied" };
  return name === "failed" ? { tone: "error", label: "Failed" } : { tone: "ok", label: "Done" };
}

const COLUMNS: readonly GridColumn<AuditEntry>[] = [
  { key: "time", title: "Time", cell: (e) => <Time at={e.time} /> },
  { key: "user", title: "User", cell: (e) => e.userName ?? "–" },
  { key: "action", title: "Action", cell: (e) => <code>{e.action}</code> },
  { key: "object", title: "On", from: "medium", cell: (e) => e.object ?? "–" },
  { key: "origin", title: "From", from: "medium", cell: (e) => e.origin ?? "–" },
  { key: "outcome", title: "Outcome", from: "narrow", cell: (e) => <Badge state={outcome(e.outcome?.toLowerCase())} title={e.detail ?? undefined} /> },
];

export function Audit() {
  const { data, error } = usePoll("audit", service.audit, EVERY);
  return (
    <section class="panel-plain">
      <div class="section-head">
        <h2>Audit log</h2>
      </div>
      <Failure error={error} />
      {data && <Grid caption="Audit log" columns={COLUMNS} rows={data.value} rowKey={(e) => `${e.time}/${e.action}/${e.object}`} empty="Nothing yet." />}
    </section>
  );
}
