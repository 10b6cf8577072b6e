// SPDX-License-Identifier: MIT
// actions.tsx -- what can be done to a mirror; what costs something asks first.
import { useState } from "preact/hooks";
import * as service from "../../api/service";
import type { Monitor } from "../../api/types";
import { plural } from "../../format/number";
import { type Action, actionsOf } from "../../format/state";
import { Button } from "../../parts/button";
import { Confirm, type Question } from "../../parts/confirm";
import type { IconName } from "../../parts/icon";
import { useNotices } from "../../state/notices";
import { go } from "../../state/route";

interface Props {
  id: service.MirrorId;
  m: Monitor;
  refresh: () => Promise<void>;
}

const LOOK: Record<Action, [label: string, icon: IconName, done: string]> = {
  start: ["Start", "play", "started"],
  stop: ["Stop", "stop", "stopped"],
  pause: ["Pause", "pause", "paused"],
  resume: ["Resume", "play", "resumed"],
};

const CALL: Record<Action, (m: service.MirrorId) => Promise<void>> = { start: service.start, stop: service.stop, pause: service.pause, resume: service.resume };

function stopping(name: string, act: () => Promise<unknown>): Question {
  return {
    title: `Stop ${name}?`,
    text: <p>Its tables stay as they are, readable at their last state. The source keeps its log for this mirror until it is started again, or dropped.</p>,
    action: "Stop",
    act,
  };
}

function resyncing(m: Monitor, act: () => Promise<unknown>): Question {
  return {
    title: `Load ${m.displayName} again?`,
    text: <p>{plural(m.tables.length, "table")} will be read again from the source. Readers keep what is there until the new content is complete.</p>,
    action: "Load all again",
    act,
  };
}

function dropping(m: Monitor, act: () => Promise<unknown>): Question {
  return {
    title: `Drop ${m.displayName}?`,
    text: <p>The mirror ends, and what it made in the source is taken back. Its tables stay in the lake, at their last state.</p>,
    action: "Drop mirror",
    danger: true,
    typed: m.displayName,
    act,
  };
}

export function Actions({ id, m, refresh }: Props) {
  const notices = useNotices();
  const [question, setQuestion] = useState<Question | null>(null);
  const perform = async (a: Action) => {
    await CALL[a](id);
    notices.say(`${m.displayName}: ${LOOK[a][2]}`);
    await refresh();
  };
  const press = (a: Action) =>
    a === "stop" ? setQuestion(stopping(m.displayName, () => perform(a))) : perform(a).catch((e) => notices.fail(`${LOOK[a][0]} failed`, e));
  const resync = async () => {
    await service.resync(id, null);
    notices.say(`${m.displayName}: all tables are loaded again`);
    await refresh();
  };
  const drop = async () => {
    await service.dropMirror(id);
    notices.say(`${m.displayName}: dropped`);
    go({ view: "mirrors" });
  };
  return (
    <>
      {actionsOf(m.status, m.error !== null).map((a) => (
        <Button key={a} icon={LOOK[a][1]} kind={a === "start" || a === "resume" ? "primary" : "plain"} onClick={() => press(a)}>
          {LOOK[a][0]}
        </Button>
      ))}
      {m.tables.length > 0 && (
        <Button icon="resync" onClick={() => setQuestion(resyncing(m, resync))}>
          Resync…
        </Button>
      )}
      <Button icon="trash" kind="danger" onClick={() => setQuestion(dropping(m, drop))}>
        Drop…
      </Button>
      {question && <Confirm question={question} onClose={() => setQuestion(null)} />}
    </>
  );
}
