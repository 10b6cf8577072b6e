// SPDX-License-Identifier: MIT
// steps.tsx -- where one is in the wizard; one can go back to what is done.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../parts/icon";

const NAMES = ["Source", "Tables", "Name and options"];

export function Steps({ step, onStep }: { step: number; onStep: (step: number) => void }) {
  return (
    <nav aria-label="Steps">
      <ol class="steps">
        {NAMES.map((name, i) => {
          const mark = <span class="step-mark">{i < step ? <Icon name="check" size={12} /> : i + 1}</span>;
          return (
            <li key={name} class={i < step ? "done" : i === step ? "now" : ""} aria-current={i === step ? "step" : undefined}>
              {i < step ? (
                <button type="button" onClick={() => onStep(i)}>
                  {mark}
                  {name}
                </button>
              ) : (
                <span>
                  {mark}
                  {name}
                </span>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

/** The heading of a step gets the focus when one comes to it. */
export function StepTitle({ children, first = false }: { children: ComponentChildren; first?: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!first) heading.current?.focus();
  }, []);
  return (
    <h2 ref={heading} tabIndex={-1}>
      {children}
    </h2>
  );
}
