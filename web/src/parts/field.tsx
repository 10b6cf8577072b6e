// SPDX-License-Identifier: MIT
// field.tsx -- a label, what is entered, a hint, and what is wrong with it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  wrong?: string | null | undefined;
  children: (ids: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined }) => ComponentChildren;
}

export function Field({ label, hint, wrong, children }: FieldProps) {
  const id = useId();
  const hintId = `${id}h`;
  const wrongId = `${id}w`;
  const describedBy = [hint ? hintId : "", wrong ? wrongId : ""].filter(Boolean).join(" ") || undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": describedBy, "aria-invalid": wrong ? true : undefined })}
      {hint && (
        <p class="hint" id={hintId}>
          {hint}
        </p>
      )}
      {wrong && (
        <p class="wrong" id={wrongId}>
          {wrong}
        </p>
      )}
    </div>
  );
}

interface TextProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  hint?: ComponentChildren;
  wrong?: string | null | undefined;
  placeholder?: string;
  type?: "text" | "password" | "number";
  autocomplete?: string;
  required?: boolean;
  mono?: boolean;
}

export function TextField(p: TextProps) {
  return (
    <Field label={p.label} hint={p.hint} wrong={p.wrong}>
      {(ids) => (
        <input {...ids} class={p.mono ? "input mono" : "input"} type={p.type ?? "text"} value={p.value} placeholder={p.placeholder ?? ""} autocomplete={p.autocomplete ?? "off"} spellcheck={false} required={p.required ?? false} onInput={(e) => p.onInput(e.currentTarget.value)} />
      )}
    </Field>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, label: string])[];
  onChange: (value: string) => void;
  hint?: ComponentChildren;
}

export function SelectField(p: SelectProps) {
  return (
    <Field label={p.label} hint={p.hint}>
      {(ids) => (
        <select {...ids} class="input" value={p.value} onChange={(e) => p.onChange(e.currentTarget.value)}>
          {p.options.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, hint, checked, onChange }: { label: string; hint?: string; checked: boolean; onChange: (on: boolean) => void }) {
  const id = useId();
  return (
    <div class="check">
      <input type="checkbox" id={id} checked={checked} aria-describedby={hint ? `${id}h` : undefined} onChange={(e) => onChange(e.currentTarget.checked)} />
      <div>
        <label for={id}>{label}</label>
        {hint && (
          <p class="hint" id={`${id}h`}>
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
