// SPDX-License-Identifier: MIT
// table.tsx -- one table of a mirror: how it is, what it is made of, how it came to be so.
import { useMemo } from "preact/hooks";
import * as service from "../../api/service";
import type { TableDetail } from "../../api/types";
import { tableState } from "../../format/state";
import { Badge } from "../../parts/badge";
import { Failure, Note } from "../../parts/note";
import { Loading, ViewHead } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { hrefOf } from "../../state/route";
import { may, useSession } from "../../state/session";
import { Executions } from "../activity/executions";
import { Troubles } from "../mirror/troubles";
import { TableActions } from "./actions";
import { Columns } from "./columns";
import { TableFigures } from "./figures";
import { History } from "./history";

function TableTroubles({ t }: { t: TableDetail }) {
  return (
    <div class="troubles">
      {t.reason && t.reason !== "paused" && <Note tone={t.status === "Failed" ? "error" : "warn"} title={t.reason} remedy={t.remedy} />}
      {t.warnings.map((w) => (
        <Note key={`${w.code}/${w.column}`} tone="warn" title={w.message ?? w.code} remedy={w.remedy} />
      ))}
    </div>
  );
}

function Body({ id, t }: { id: service.TableId; t: TableDetail }) {
  const filter = useMemo(() => ({ schema: id.schema, table: id.table }), [id.schema, id.table]);
  return (
    <>
      <TableTroubles t={t} />
      <TableFigures t={t} />
      <Columns columns={t.columns} />
      <History changes={t.schemaHistory} />
      <section class="panel-plain">
        <h2>Activity</h2>
        <Executions of={id} filter={filter} />
      </section>
    </>
  );
}

export function Table({ ws, id, schema, table }: service.TableId) {
  const { me } = useSession();
  const tableId = { ws, id, schema, table };
  const key = `${ws}/${id}/${schema}/${table}`;
  const { data: t, error, refresh } = usePoll(key, (s) => service.tableDetail(tableId, s));
  const { data: mirror } = usePoll(`${ws}/${id}`, (s) => service.monitor({ ws, id }, s), 10_000);
  const status = mirror?.status ?? "Running";
  return (
    <>
      <ViewHead
        title={t?.name ?? `${schema}.${table}`}
        at={key}
        crumbs={[
          { label: "Mirrors", href: hrefOf({ view: "mirrors" }) },
          { label: mirror?.displayName ?? "Mirror", href: hrefOf({ view: "mirror", ws, id, tab: "tables" }) },
        ]}
        state={
          t && (
            <span role="status">
              <Badge state={tableState(t, status)} title={t.status} />
            </span>
          )
        }
        lead={t?.folder && <span title="Folder of the Delta table">{t.folder}</span>}
        actions={t && may(me, "contributor", ws) && <TableActions id={tableId} t={t} refresh={refresh} />}
      />
      <Failure error={error} />
      {mirror && <Troubles m={mirror} />}
      {!t && !error && <Loading what="the table" />}
      {t && <Body id={tableId} t={t} />}
    </>
  );
}
