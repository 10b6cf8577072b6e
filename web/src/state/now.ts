// SPDX-License-Identifier: MIT
// now.ts -- the present, as often as "12 s ago" has to change.
import { useEffect, useState } from "preact/hooks";

export function useNow(every = 1000): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(new Date());
    }, every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
