// SPDX-License-Identifier: MIT
// app.tsx -- who is there, what is shown to them, and what is said in the corner.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type ApiError, onUnauthorized, shown } from "./api/http";
import * as service from "./api/service";
import type { Me } from "./api/types";
import { Failure } from "./parts/note";
import { Shell } from "./parts/shell";
import { Corner } from "./parts/corner";
import { Loading } from "./parts/view";
import { type Notice, NoticesContext } from "./state/notices";
import { useRoute } from "./state/route";
import { SessionContext } from "./state/session";
import { Screen } from "./views/screen";
import { SignIn } from "./views/sign-in";

const NOTICE_LIFE = 6000;

function useNoticeList() {
  const [list, setList] = useState<Notice[]>([]);
  const next = useRef(1);
  const close = useCallback((id: number) => setList((l) => l.filter((n) => n.id !== id)), []);
  const notices = useMemo(() => {
    const add = (text: string, error: ApiError | null) => {
      const id = next.current++;
      setList((l) => [...l.slice(-3), { id, text, error }]);
      return id;
    };
    return {
      say: (text: string) => void setTimeout(close, NOTICE_LIFE, add(text, null)),
      fail: (what: string, reason: unknown) => void add(what, shown(reason)),
    };
  }, [close]);
  return { list, close, notices };
}

/** needed: nobody is signed in, and somebody has to be. */
function useMe() {
  const [me, setMe] = useState<Me | null>(null);
  const [needed, setNeeded] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const again = useCallback(async () => {
    try {
      const now = await service.me();
      setMe(now);
      setNeeded(now.name === null && now.login);
      setError(null);
    } catch (reason) {
      const e = shown(reason);
      if (e.status === 401) setNeeded(true);
      else setError(e);
    }
  }, []);
  useEffect(() => {
    onUnauthorized(() => setNeeded(true));
    void again();
  }, [again]);
  useEffect(() => {
    if (!error) return;
    const timer = setTimeout(again, 3000);
    return () => clearTimeout(timer);
  }, [error, again]);
  return { me, needed, error, again };
}

export function App() {
  const route = useRoute();
  const { list, close, notices } = useNoticeList();
  const { me, needed, error, again } = useMe();
  const session = useMemo(() => (me ? { me, again } : null), [me, again]);
  return (
    <NoticesContext.Provider value={notices}>
      {needed ? (
        <SignIn onDone={again} />
      ) : session ? (
        <SessionContext.Provider value={session}>
          <Shell route={route}>
            <Screen route={route} />
          </Shell>
        </SessionContext.Provider>
      ) : (
        <main class="alone">{error ? <Failure error={error} /> : <Loading what="the service" />}</main>
      )}
      <Corner notices={list} onClose={close} />
    </NoticesContext.Provider>
  );
}
