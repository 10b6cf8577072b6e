// SPDX-License-Identifier: MIT
// actions.tsx -- what can be done to one table.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import type { TableDetail } from "../../api/types";
import { isPaused } from "../../format/state";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import { useNotices } from "../../state/notices";

interface Props {
  id: service.TableId;
  t: TableDetail;
  refresh: () => Promise<void>;
}

export function TableActions({ id, t, refresh }: Props) {
  const notices = useNotices();
  const [question, setQuestion] = useState<Question | null>(null);
  const act = async (call: (id: service.TableId) => Promise<void>, done: string) => {
    await call(id);
    notices.say(`${t.name}: ${done}`);
    await refresh();
  };
  const resync: Question = {
    title: `Load ${t.name} again?`,
    text: <p>It is read again from the source, beside the other tables. Readers keep what is there until the new content is complete.</p>,
    action: "Load again",
    act: () => act(service.resyncTable, "is loaded again"),
  };
  const pause: Question = {
    title: `Pause ${t.name}?`,
    text: <p>It keeps the content it has, and changes are no longer followed. When it is resumed it is loaded again.</p>,
    action: "Pause table",
    act: () => act(service.pauseTable, "paused"),
  };
  return (
    <>
      {isPaused(t) ? (
        <Button icon="play" kind="primary" onClick={() => act(service.resumeTable, "resumed").catch((e) => notices.fail("Resuming failed", e))}>
          Resume
        </Button>
      ) : (
        <Button icon="pause" onClick={() => setQuestion(pause)}>
          Pause…
        </Button>
      )}
      <Button icon="resync" onClick={() => setQuestion(resync)}>
        Resync…
      </Button>
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </>
  );
}
