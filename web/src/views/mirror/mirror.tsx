// SPDX-License-Identifier: MIT
// mirror.tsx -- one mirrored database: its state on top, below it what one looks into.
import * as service from "../../api/service";
import type { Monitor } from "../../api/types";
import { typeLabel } from "../../format/source";
import { hasTrouble, mirrorState } from "../../format/state";
import { Badge } from "../../parts/badge";
import { Failure } from "../../parts/note";
import { Loading, ViewHead } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { hrefOf, type Tab } from "../../state/route";
import { may, useSession } from "../../state/session";
import { Executions } from "../activity/executions";
import { Actions } from "./actions";
import { Log } from "./log";
import { Overview } from "./overview";
import { Query } from "./query";
import { Settings } from "./settings";
import { Troubles } from "./troubles";

const TABS: readonly [Tab, string][] = [
  ["tables", "Monitor"],
  ["activity", "Activity"],
  ["query", "Query"],
  ["log", "Log"],
  ["settings", "Settings"],
];

export const sourceWarns = (m: Monitor) => m.sourceLog?.level !== undefined && m.sourceLog.level !== null && m.sourceLog.level !== "ok";

export function stateOf(m: Monitor) {
  return mirrorState(m.status, m.error !== null, m.tables.filter(hasTrouble).length + (sourceWarns(m) ? 1 : 0));
}

function Tabs({ m, tab }: { m: service.MirrorId; tab: Tab }) {
  return (
    <nav class="tabs" aria-label="Mirror">
      <ul>
        {TABS.map(([t, label]) => (
          <li key={t}>
            <a href={hrefOf({ view: "mirror", ...m, tab: t })} aria-current={t === tab ? "page" : undefined}>
              {label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Lead({ m }: { m: Monitor }) {
  const c = m.source.connection;
  return (
    <>
      <span>{typeLabel(m.source.type)}</span>
      {c && <span title="Source">{c.url}</span>}
      {m.lake && <span title="Lake">{m.lake}</span>}
      {m.owner && <span>owned by {m.owner.name}</span>}
    </>
  );
}

function Body({ id, m, tab }: { id: service.MirrorId; m: Monitor; tab: Tab }) {
  if (tab === "activity") return <Executions of={id} filter={{}} />;
  if (tab === "query") return <Query id={id} tables={m.tables.map((t) => t.name)} />;
  if (tab === "log") return <Log id={id} />;
  if (tab === "settings") return <Settings id={id} monitor={m} />;
  return <Overview id={id} m={m} />;
}

export function Mirror({ ws, id, tab }: { ws: string; id: string; tab: Tab }) {
  const { me } = useSession();
  const key = `${ws}/${id}`;
  const mirror = { ws, id };
  const { data: m, error, refresh } = usePoll(key, (s) => service.monitor(mirror, s));
  const crumbs = [{ label: "Mirrors", href: hrefOf({ view: "mirrors" }) }];
  return (
    <>
      <ViewHead
        title={m?.displayName ?? "Mirror"}
        at={key}
        crumbs={crumbs}
        state={
          m && (
            <span role="status">
              <Badge state={stateOf(m)} title={m.status} />
            </span>
          )
        }
        lead={m && <Lead m={m} />}
        actions={m && may(me, "contributor", ws) && <Actions id={mirror} m={m} refresh={refresh} />}
      />
      <Failure error={error} />
      {!m && !error && <Loading what="the mirror" />}
      {m && (
        <>
          <Troubles m={m} />
          <Tabs m={mirror} tab={tab} />
          <Body id={mirror} m={m} tab={tab} />
        </>
      )}
    </>
  );
}
