// SPDX-License-Identifier: MIT
// poll.ts -- what is on the screen is asked for again every two seconds; what nobody sees is not.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, shown } from "../api/http";

export const EVERY = 2000;
const SLOWEST = 30_000;

/** How long to wait after that many failures in a row. */
export function patience(every: number, failures: number): number {
  return failures === 0 ? every : Math.max(every, Math.min(SLOWEST, every * 2 ** Math.min(failures - 1, 10)));
}

export interface Polled<T> {
  data: T | null;
  /** Of the last call; the data is then older. */
  error: ApiError | null;
  /** Asks now, and resolves when it is here. */
  refresh: () => Promise<void>;
}

/** every 0: asked once. key null: not asked at all. Data of another key is not shown. */
export function usePoll<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, every: number = EVERY): Polled<T> {
  const [state, setState] = useState<{ key: string | null; data: T | null; error: ApiError | null }>({ key, data: null, error: null });
  const latest = useRef(ask);
  latest.current = ask;
  const trigger = useRef<() => Promise<void>>(async () => {});

  useEffect(() => {
    if (key === null) return;
    let timer = 0;
    let failures = 0;
    let running: AbortController | null = null;
    let over = false;

    const turn = async () => {
      clearTimeout(timer);
      running?.abort();
      const mine = (running = new AbortController());
      try {
        const data = await latest.current(mine.signal);
        if (mine.signal.aborted) return;
        failures = 0;
        setState({ key, data, error: null });
      } catch (reason) {
        if (mine.signal.aborted) return;
        failures++;
        setState((s) => ({ key, data: s.key === key ? s.data : null, error: shown(reason) }));
      }
      running = null;
      if (!over && !document.hidden && (every || failures)) timer = window.setTimeout(turn, patience(every || EVERY, failures));
    };
    const seen = () => {
      clearTimeout(timer);
      if (!document.hidden && (every || failures) && !running) void turn();
    };

    trigger.current = turn;
    document.addEventListener("visibilitychange", seen);
    void turn();
    return () => {
      over = true;
      clearTimeout(timer);
      running?.abort();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, every]);

  const refresh = useCallback(() => trigger.current(), []);
  return state.key === key ? { data: state.data, error: state.error, refresh } : { data: null, error: null, refresh };
}
