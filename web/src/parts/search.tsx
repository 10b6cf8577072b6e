// SPDX-License-Identifier: MIT
import { Icon } from "./icon";

export function Search({ label, value, onInput }: { label: string; value: string; onInput: (value: string) => void }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input class="input" type="search" aria-label={label} placeholder={label} value={value} autocomplete="off" spellcheck={false} onInput={(e) => onInput(e.currentTarget.value)} />
    </div>
  );
}

/** All words are somewhere in the text, in any case. */
export function matches(text: string, words: string): boolean {
  const low = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((w) => low.includes(w));
}
