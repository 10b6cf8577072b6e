// SPDX-License-Identifier: MIT
// time.tsx -- a moment in the viewer's zone, with UTC when one points at it.
import { ago, localTime, parseTime, shortTime, utcTime } from "../format/time";
import { useNow } from "../state/now";

export function Time({ at, short = false }: { at: string | null | undefined; short?: boolean }) {
  const date = parseTime(at);
  if (!date) return <>–</>;
  return (
    <time dateTime={date.toISOString()} title={utcTime(date)}>
      {short ? shortTime(date, new Date()) : localTime(date)}
    </time>
  );
}

export function Ago({ at, none = "never" }: { at: string | null | undefined; none?: string }) {
  const now = useNow();
  const date = parseTime(at);
  if (!date) return <span class="muted">{none}</span>;
  return (
    <time dateTime={date.toISOString()} title={`${localTime(date)} (${utcTime(date)})`}>
      {ago(date, now)}
    </time>
  );
}
