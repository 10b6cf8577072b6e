// SPDX-License-Identifier: MIT
// note.tsx -- something worth knowing: what it is, and what to do about it.
import type { ComponentChildren } from "preact";
import { ApiError } from "../api/http";
import type { Tone } from "../format/state";
import { TONE_ICON } from "./badge";
import { Icon } from "./icon";
import { Remedy } from "./remedy";

interface Props {
  tone: Tone;
  title: ComponentChildren;
  remedy?: string | null | undefined;
  children?: ComponentChildren;
  /** Said by screen readers at once. */
  alert?: boolean;
}

export function Note({ tone, title, remedy, children, alert = false }: Props) {
  return (
    <div class={`note ${tone}`} role={alert ? "alert" : undefined}>
      <Icon name={TONE_ICON[tone]} />
      <div class="note-body">
        <p class="note-title">{title}</p>
        {children}
        {remedy && <Remedy text={remedy} />}
      </div>
    </div>
  );
}

export function Failure({ error, what }: { error: ApiError | null; what?: string }) {
  if (!error) return null;
  return <Note tone="error" alert title={what ? `${what}: ${error.message}` : error.message} remedy={error.remedy} />;
}
