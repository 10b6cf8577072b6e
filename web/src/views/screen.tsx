// SPDX-License-Identifier: MIT
// screen.tsx -- which view a place in the address is.
import { Empty, ViewHead } from "../parts/view";
import { hrefOf, type Route } from "../state/route";
import { Mirrors } from "./mirrors/mirrors";

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

export function Screen({ route }: { route: Route }) {
  switch (route.view) {
    case "mirrors":
      return <Mirrors />;
    default:
      return <Lost />;
  }
}
