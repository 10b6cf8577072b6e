// SPDX-License-Identifier: MIT
// activity.tsx -- what was done to the tables of all mirrors.
import * as service from "../../api/service";
import { ViewHead } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { Executions } from "./executions";

const EVERY = 30_000;

export function Activity() {
  const { data } = usePoll("activity/mirrors", service.mirrors, EVERY);
  const names = (data ?? []).map((m) => [m.id, m.displayName] as const);
  return (
    <>
      <ViewHead title="Activity" at="activity" />
      <Executions of={null} filter={{}} mirrors={names} />
    </>
  );
}
