// SPDX-License-Identifier: MIT
import { useState } from "preact/hooks";
import { Button } from "./button";

/** The clipboard is there on secure addresses only; elsewhere the text is selected by hand of an old way. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    setDone(await toClipboard(text));
    setTimeout(() => setDone(false), 2000);
  };
  return (
    <>
      <Button kind="quiet" small icon={done ? "check" : "copy"} label={`Copy ${what}`} onClick={copy} />
      <span class="offscreen" role="status">
        {done ? "Copied" : ""}
      </span>
    </>
  );
}
