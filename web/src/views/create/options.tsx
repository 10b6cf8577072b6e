// SPDX-License-Identifier: MIT
// options.tsx -- what few need to change: each says what it is when it is left alone.
import { parseAddress } from "../../format/source";
import { CheckField, SelectField, TextField } from "../../parts/field";
import { type Options, wrongOption } from "./draft";

interface Props {
  url: string;
  options: Options;
  onChange: (o: Options) => void;
}

export function OptionFields({ url, options: o, onChange }: Props) {
  const set = (part: Partial<Options>) => onChange({ ...o, ...part });
  const kind = parseAddress(url)?.kind;
  const text = (key: "freshness" | "rateLimit" | "retainedLog" | "retention" | "memory" | "snapshotFrom", label: string, placeholder: string, hint: string) => (
    <TextField key={key} label={label} value={o[key]} placeholder={placeholder} hint={hint} wrong={wrongOption(key, o[key])} onInput={(v) => set({ [key]: v })} />
  );
  return (
    <div class="option-fields">
      {text("freshness", "Freshness", "500ms", "Longest time a committed change waits before it is written.")}
      {text("rateLimit", "Limit of loads", "none", "What loads read of the source in a second at most, as 20MiB.")}
      {text("memory", "Memory", "256MiB", "The budget of this mirror's process, as 512MiB.")}
      {text("retention", "Retention", "1d", "How long old versions of the tables can be read.")}
      {kind === "PostgreSQL" && text("retainedLog", "Limit of retained log", "warn=10GiB", "When to warn, pause loads or give up, for the source's sake.")}
      {kind === "PostgreSQL" && text("snapshotFrom", "Loads from a standby", "postgresql://standby/…", "A hot standby that loads are read from.")}
      {kind === "SQLite" && (
        <SelectField
          label="Capture"
          value={o.capture}
          onChange={(v) => set({ capture: v as Options["capture"] })}
          options={[
            ["", "By triggers (in milliseconds)"],
            ["poll", "By comparing (writes nothing into the file)"],
          ]}
        />
      )}
      <SelectField
        label="Readers"
        value={o.profile}
        onChange={(v) => set({ profile: v as Options["profile"] })}
        hint="Older engines do not know deletion vectors."
        options={[
          ["default", "Present engines"],
          ["compat", "Older engines, too"],
        ]}
      />
      <SelectField
        label="When a source table is dropped"
        value={o.onDrop}
        onChange={(v) => set({ onDrop: v as Options["onDrop"] })}
        options={[
          ["keep", "Keep its last content"],
          ["delete", "Remove it from the lake"],
        ]}
      />
      <CheckField label="Change data feed" hint="Readers can ask which rows changed." checked={o.changeDataFeed} onChange={(changeDataFeed) => set({ changeDataFeed })} />
      <CheckField label="History" hint="Every version of every row, in a table beside each." checked={o.history} onChange={(history) => set({ history })} />
    </div>
  );
}
