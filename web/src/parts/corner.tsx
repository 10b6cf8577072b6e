// SPDX-License-Identifier: MIT
// corner.tsx -- what was done or failed, bottom right. The regions are always there, so that screen readers hear what comes into them.
import type { Notice } from "../state/notices";
import { Button } from "./button";
import { Icon } from "./icon";
import { Remedy } from "./remedy";

function Card({ notice: n, onClose }: { notice: Notice; onClose: (id: number) => void }) {
  return (
    <div class={n.error ? "card-notice error" : "card-notice ok"}>
      <Icon name={n.error ? "error" : "ok"} />
      <div class="note-body">
        <p class="note-title">{n.text}</p>
        {n.error && <p>{n.error.message}</p>}
        {n.error?.remedy && <Remedy text={n.error.remedy} />}
      </div>
      <Button kind="quiet" small icon="cross" label="Close message" onClick={() => onClose(n.id)} />
    </div>
  );
}

export function Corner({ notices, onClose }: { notices: readonly Notice[]; onClose: (id: number) => void }) {
  const cards = (failed: boolean) => notices.filter((n) => (n.error !== null) === failed).map((n) => <Card key={n.id} notice={n} onClose={onClose} />);
  return (
    <section class="corner" aria-label="Messages">
      <div role="status">{cards(false)}</div>
      <div role="alert">{cards(true)}</div>
    </section>
  );
}
