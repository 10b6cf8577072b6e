// SPDX-License-Identifier: MIT
// remedy.tsx -- what to do: a sentence, or SQL that is for copying.
import { Copy } from "./copy";

const SQL = /^\s*(ALTER|CREATE|GRANT|DROP|SELECT|UPDATE|SET|REVOKE|PRAGMA|EXEC|BEGIN)\b/; // as tain writes it

/** Whether a remedy is something to run rather than to read. */
export const isScript = (text: string) => text.includes("\n") || text.replace(/;\s*$/, "").split(";").every((part) => SQL.test(part));

export function Remedy({ text }: { text: string }) {
  if (!isScript(text)) return <p class="remedy">{text}</p>;
  return (
    <div class="script">
      <pre tabIndex={0} role="group" aria-label="Remedy as SQL">
        {text}
      </pre>
      <Copy text={text} what="the remedy" />
    </div>
  );
}
