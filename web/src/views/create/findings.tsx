// SPDX-License-Identifier: MIT
// findings.tsx -- what the assessment says, in words and with what to do.
import type { Finding, Verdict } from "../../api/types";
import type { Tone } from "../../format/state";
import { Icon } from "../../parts/icon";
import { Remedy } from "../../parts/remedy";

export const VERDICT: Record<Verdict, [tone: Tone, label: string]> = { ok: ["ok", "Ready"], warning: ["warn", "Ready, with a warning"], error: ["error", "Cannot be mirrored"] };

export function VerdictMark({ verdict }: { verdict: Verdict }) {
  const [tone, label] = VERDICT[verdict];
  return (
    <span class={`toned ${tone} verdict`} title={label}>
      <Icon name={tone} />
      <span class="offscreen">{label}</span>
    </span>
  );
}

export function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul class="findings">
      {findings.map((f) => (
        <li key={`${f.code}/${f.column}/${f.message}`}>
          <p>
            {f.column && (
              <>
                column <code>{f.column}</code>:{" "}
              </>
            )}
            {f.message}
          </p>
          {f.remedy && <Remedy text={f.remedy} />}
        </li>
      ))}
    </ul>
  );
}
