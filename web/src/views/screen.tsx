// SPDX-License-Identifier: MIT
// screen.tsx -- which view a place in the address is.
import { Empty, ViewHead } from "../parts/view";
import { hrefOf, type Route } from "../state/route";
import { Access } from "./access/access";
import { Activity } from "./activity/activity";
import { Connections } from "./connections/connections";
import { Create } from "./create/create";
import { Mirror } from "./mirror/mirror";
import { Mirrors } from "./mirrors/mirrors";
import { Table } from "./table/table";

function Lost() {
  return (
    <>
      <ViewHead title="Not found" at="lost" />
      <Empty title="There is nothing at this address">
        <p>
          <a href={hrefOf({ view: "mirrors" })}>All mirrors</a>
        </p>
      </Empty>
    </>
  );
}

export function Screen({ route: r }: { route: Route }) {
  switch (r.view) {
    case "mirrors":
      return <Mirrors />;
    case "create":
      return <Create />;
    case "mirror":
      return <Mirror ws={r.ws} id={r.id} tab={r.tab} />;
    case "table":
      return <Table ws={r.ws} id={r.id} schema={r.schema} table={r.table} />;
    case "connections":
      return <Connections />;
    case "activity":
      return <Activity />;
    case "access":
      return <Access />;
    case "lost":
      return <Lost />;
  }
}
