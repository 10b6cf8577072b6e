// SPDX-License-Identifier: MIT
// choice.tsx -- one of a few, as radio buttons in a row or as cards.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface Option<V extends string> {
  value: V;
  label: ComponentChildren;
  hint?: ComponentChildren;
}

interface Props<V extends string> {
  legend: string;
  options: readonly Option<V>[];
  value: V | null;
  onChange: (value: V) => void;
  kind?: "row" | "cards";
  quietLegend?: boolean;
}

export function Choice<V extends string>({ legend, options, value, onChange, kind = "row", quietLegend = false }: Props<V>) {
  const name = useId();
  return (
    <fieldset class={`choice ${kind}`}>
      <legend class={quietLegend ? "offscreen" : ""}>{legend}</legend>
      <div class="choice-options">
        {options.map((o) => (
          <label key={o.value} class={o.value === value ? "option chosen" : "option"}>
            <input type="radio" name={name} value={o.value} checked={o.value === value} onChange={() => onChange(o.value)} />
            <span class="option-text">
              <span class="option-label">{o.label}</span>
              {o.hint && <span class="option-hint">{o.hint}</span>}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
