// SPDX-License-Identifier: MIT
// log.tsx -- what the worker said, newest at the end.
import { useEffect, useRef, useState } from "preact/hooks";
import * as service from "../../api/service";
import { Copy } from "../../parts/copy";
import { CheckField } from "../../parts/field";
import { Failure } from "../../parts/note";
import { Search } from "../../parts/search";
import { Loading } from "../../parts/view";
import { usePoll } from "../../state/poll";

const LINES = 500;

export function Log({ id }: { id: service.MirrorId }) {
  const [words, setWords] = useState("");
  const [follow, setFollow] = useState(true);
  const { data, error } = usePoll(`${id.id}/log`, (s) => service.logs(id, LINES, s));
  const box = useRef<HTMLPreElement>(null);
  const lines = (data?.lines ?? []).filter((l) => l.toLowerCase().includes(words.toLowerCase()));
  const text = lines.join("\n");
  useEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, follow]);
  return (
    <section aria-label="Log">
      <div class="toolbar">
        <Search label="Search the log" value={words} onInput={setWords} />
        <CheckField label="Follow the end" checked={follow} onChange={setFollow} />
        <span class="push">
          <Copy text={text} what="the log" />
        </span>
      </div>
      <Failure error={error} />
      {!data && !error && <Loading what="the log" />}
      {data && (
        <pre class="log" ref={box} tabIndex={0} role="region" aria-label="Lines of the log">
          {text || "Nothing was said yet."}
        </pre>
      )}
    </section>
  );
}
