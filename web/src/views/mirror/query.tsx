// SPDX-License-Identifier: MIT
// query.tsx -- SQL over the mirrored tables, for a look; the result can be taken along as CSV.
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { QueryResult } from "../../api/types";
import { csvOf, identifier, textOf } from "../../format/result";
import { count, plural } from "../../format/number";
import { duration } from "../../format/time";
import { Button } from "../../parts/button";
import { Field } from "../../parts/field";
import { Failure } from "../../parts/note";

const LIMIT = 500;
const kept = new Map<string, string>(); // what was written, while the page is open

function download(result: QueryResult): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(result)], { type: "text/csv" }));
  link.download = "query.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Numbers with more digits than a number has come as text. */
const isNumeric = (v: unknown) => typeof v === "number" || (typeof v === "string" && /^-?\d[\d.]*$/.test(v));

function Rows({ result: r }: { result: QueryResult }) {
  const numeric = r.columns.map((_, i) => r.rows.some((row) => typeof row[i] === "number") && r.rows.every((row) => row[i] === null || isNumeric(row[i])));
  return (
    <div class="grid-frame result" tabIndex={0} role="region" aria-label="Result of the query">
      <table class="grid">
        <caption class="offscreen">Result of the query</caption>
        <thead>
          <tr>
            {r.columns.map((c, i) => (
              <th key={i} scope="col" class={numeric[i] ? "number" : ""}>
                {c}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {r.rows.map((row, n) => (
            <tr key={n}>
              {row.map((v, i) => (
                <td key={i} class={numeric[i] ? "number" : ""}>
                  {v === null ? <span class="null">NULL</span> : textOf(v)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Query({ id, tables }: { id: service.MirrorId; tables: readonly string[] }) {
  const [sql, setSql] = useState(() => kept.get(id.id) ?? (tables[0] ? `SELECT * FROM ${identifier(tables[0])} LIMIT 100` : "SELECT 1"));
  const [result, setResult] = useState<QueryResult | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const running = useRef<AbortController | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => () => running.current?.abort(), []);

  const write = (text: string) => {
    setSql(text);
    kept.set(id.id, text);
  };
  const run = async () => {
    if (busy || !sql.trim()) return;
    const mine = (running.current = new AbortController());
    setBusy(true);
    setError(null);
    try {
      setResult(await service.runQuery(id, sql, LIMIT, mine.signal));
    } catch (reason) {
      if (!mine.signal.aborted) setError(shown(reason));
    }
    setBusy(false);
  };
  const keys = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    void run();
  };
  return (
    <section class="query" aria-label="Query">
      <Field label="SQL" hint={<>Reads the lake at its newest state. Ctrl + Enter runs it; {count(LIMIT)} rows at most are shown.</>}>
        {(ids) => <textarea {...ids} class="input" rows={6} value={sql} spellcheck={false} autocomplete="off" onInput={(e) => write(e.currentTarget.value)} onKeyDown={keys} />}
      </Field>
      <div class="toolbar">
        <Button kind="primary" icon="play" busy={busy} onClick={run}>
          Run
        </Button>
        {busy && <Button onClick={() => running.current?.abort()}>Cancel</Button>}
        {tables.length > 0 && (
          <select class="input" aria-label="Begin with a table" value="" onChange={(e) => e.currentTarget.value && write(`SELECT * FROM ${identifier(e.currentTarget.value)} LIMIT 100`)}>
            <option value="">Begin with a table…</option>
            {tables.map((t) => (
              <option key={t}>{t}</option>
            ))}
          </select>
        )}
        <span class="push toolbar-end" role="status">
          {result && !error && `${plural(result.rows.length, "row")}${result.truncated ? " of more" : ""} in ${duration(result.milliseconds)}`}
        </span>
        {result && !error && (
          <Button icon="save" onClick={() => download(result)}>
            CSV
          </Button>
        )}
      </div>
      <Failure error={error} />
      {result && !error && <Rows result={result} />}
    </section>
  );
}
