// SPDX-License-Identifier: MIT
// tables.tsx -- the second step: what can be mirrored, why something cannot, and what is wanted.
import { useId, useState } from "preact/hooks";
import type { AssessedTable, Assessment, Verdict } from "../../api/types";
import { count, plural } from "../../format/number";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { Note } from "../../parts/note";
import { matches, Search } from "../../parts/search";
import { mirrorable, verdicts } from "./draft";
import { Findings, VerdictMark } from "./findings";
import { StepTitle } from "./steps";

interface Props {
  assessment: Assessment;
  all: boolean;
  chosen: ReadonlySet<string>;
  onAll: (all: boolean) => void;
  onChosen: (chosen: ReadonlySet<string>) => void;
  onBack: () => void;
  onDone: () => void;
}

const PORTION = 200;
const ORDER: Record<Verdict, number> = { error: 0, warning: 1, ok: 2 };

interface LineProps {
  table: AssessedTable;
  choosing: boolean;
  on: boolean;
  onToggle: () => void;
}

function Line({ table: t, choosing, on, onToggle }: LineProps) {
  const id = useId();
  const impossible = t.verdict === "error";
  return (
    <li class="table-line">
      <div class="table-line-head">
        {choosing && <input type="checkbox" id={id} checked={on && !impossible} disabled={impossible} onChange={onToggle} />}
        <VerdictMark verdict={t.verdict} />
        {choosing ? <label for={id}>{t.name}</label> : <span>{t.name}</span>}
      </div>
      {t.findings.length > 0 && <Findings findings={t.findings} />}
    </li>
  );
}

function Verdicts({ a }: { a: Assessment }) {
  const sum = verdicts(a);
  return (
    <p class="verdicts">
      <span class="toned ok">{count(sum.ok)} ready</span>
      {sum.warning > 0 && <span class="toned warn">{count(sum.warning)} ready with a warning</span>}
      {sum.error > 0 && <span class="toned error">{count(sum.error)} cannot be mirrored</span>}
    </p>
  );
}

export function TableChoice(p: Props) {
  const [words, setWords] = useState("");
  const [most, setMost] = useState(PORTION);
  const possible = mirrorable(p.assessment);
  const rows = p.assessment.tables.filter((t) => matches(t.name, words)).sort((x, y) => ORDER[x.verdict] - ORDER[y.verdict] || x.name.localeCompare(y.name));
  const wanted = p.all ? possible.size : [...p.chosen].filter((n) => possible.has(n)).length;
  const toggle = (name: string) => {
    const next = new Set(p.chosen);
    if (!next.delete(name)) next.add(name);
    p.onChosen(next);
  };
  const shownOk = rows.filter((t) => t.verdict !== "error").map((t) => t.name);
  const setShown = (on: boolean) => p.onChosen(new Set(on ? [...p.chosen, ...shownOk] : [...p.chosen].filter((n) => !shownOk.includes(n))));
  return (
    <form
      class="wizard"
      onSubmit={(e) => {
        e.preventDefault();
        if (wanted || p.all) p.onDone();
      }}
    >
      <StepTitle>Which tables?</StepTitle>
      <Verdicts a={p.assessment} />
      {p.assessment.findings.map((f) => (
        <Note key={f.code + f.message} tone={f.remedy ? "warn" : "off"} title={f.message} remedy={f.remedy} />
      ))}
      <Choice
        legend="Tables"
        quietLegend
        kind="cards"
        value={p.all ? "all" : "some"}
        onChange={(v) => p.onAll(v === "all")}
        options={[
          { value: "all", label: "All tables", hint: "Those made later, too; what cannot be mirrored now comes in by itself once it can" },
          { value: "some", label: "Chosen tables", hint: "Only those ticked below" },
        ]}
      />
      <div class="toolbar">
        <Search label="Search tables" value={words} onInput={setWords} />
        {!p.all && (
          <>
            <Button small onClick={() => setShown(true)}>
              Tick all shown
            </Button>
            <Button small onClick={() => setShown(false)}>
              Untick
            </Button>
          </>
        )}
        <span class="muted push" role="status">
          {plural(wanted, "table")} will be mirrored
        </span>
      </div>
      <ul class="table-lines" aria-label="Tables of the source">
        {rows.slice(0, most).map((t) => (
          <Line key={t.name} table={t} choosing={!p.all} on={p.chosen.has(t.name)} onToggle={() => toggle(t.name)} />
        ))}
        {rows.length === 0 && <li class="table-line muted">{p.assessment.tables.length ? "No table matches." : "The source has no tables yet."}</li>}
      </ul>
      {rows.length > most && (
        <div class="more">
          <Button small onClick={() => setMost(most + PORTION)}>
            Show more
          </Button>
        </div>
      )}
      <footer class="wizard-foot">
        <Button icon="left" onClick={p.onBack}>
          Back
        </Button>
        <Button type="submit" kind="primary" disabled={!wanted && !p.all}>
          Continue
        </Button>
      </footer>
    </form>
  );
}
