// SPDX-License-Identifier: MIT
// overview.tsx -- is it well, is it fresh, what does each table do.
import type { MirrorId } from "../../api/service";
import type { Monitor } from "../../api/types";
import { Charts } from "./charts";
import { Figures } from "./figures";
import { Snapshot } from "./snapshot";
import { Tables } from "./tables";

export function Overview({ id, m }: { id: MirrorId; m: Monitor }) {
  return (
    <>
      <Figures m={m} />
      {m.snapshot && <Snapshot progress={m.snapshot} />}
      <Charts id={id} />
      <Tables id={id} m={m} />
    </>
  );
}
