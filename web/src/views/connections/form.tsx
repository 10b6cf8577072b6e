// SPDX-License-Identifier: MIT
// form.tsx -- what a connection is made of: a name, an address, a secret.
import type { ConnectionEdit } from "../../api/service";
import { parseAddress, suggestName } from "../../format/source";
import { Choice } from "../../parts/choice";
import { TextField } from "../../parts/field";
import { may, useSession } from "../../state/session";

export type SecretKind = "none" | "password" | "env" | "file";

export interface ConnectionForm {
  name: string;
  url: string;
  secretKind: SecretKind;
  secret: string;
  /** A secret is there already: nothing entered leaves it. */
  keeps: boolean;
}

export const EMPTY_FORM: ConnectionForm = { name: "", url: "", secretKind: "password", secret: "", keeps: false };

const isFile = (url: string) => parseAddress(url)?.kind === "SQLite" || parseAddress(url)?.kind === "Landing zone";

/** What is sent: nothing that was not entered. */
export function editOf(f: ConnectionForm): ConnectionEdit {
  const secret = f.secret.trim();
  const edit: ConnectionEdit = { displayName: f.name.trim() || suggestName(f.url), url: f.url.trim() };
  if (isFile(f.url) || f.secretKind === "none" || !secret) return edit;
  edit.secret = f.secretKind === "password" ? f.secret : `${f.secretKind}:${secret}`;
  return edit;
}

export function wrongForm(f: ConnectionForm): string | null {
  if (!f.url.trim()) return "The address is needed.";
  if (!parseAddress(f.url)) return "This is no address tain knows: it begins with postgresql:// or sqlite:///.";
  return null;
}

function recognized(url: string): string | null {
  const a = parseAddress(url);
  if (!a) return null;
  const where = [a.host, a.database].filter(Boolean).join(", ");
  return `${a.kind}${where ? `: ${where}` : ""}${a.hasPassword ? ". The password in it is taken out and kept sealed." : ""}`;
}

const EXAMPLES = "postgresql://user@host:5432/database, or sqlite:///path/to/file.db";

const SECRETS: Record<SecretKind, string> = { password: "Password", env: "Environment variable", file: "File", none: "None" };
const LABELS: Record<SecretKind, string> = { password: "Password", env: "Name of the variable", file: "Path of the file", none: "" };

interface Props {
  form: ConnectionForm;
  onChange: (f: ConnectionForm) => void;
  tried: boolean;
}

export function ConnectionFields({ form: f, onChange, tried }: Props) {
  const { me } = useSession();
  const set = (part: Partial<ConnectionForm>) => onChange({ ...f, ...part });
  const kinds: SecretKind[] = may(me, "admin") ? ["password", "env", "file", "none"] : ["password", "none"];
  return (
    <div class="fields">
      <TextField label="Address" mono value={f.url} onInput={(url) => set({ url })} placeholder="postgresql://user@host:5432/database" wrong={tried ? wrongForm(f) : null} hint={recognized(f.url) ?? EXAMPLES} required />
      {!isFile(f.url) && (
        <>
          <Choice legend="Secret" options={kinds.map((k) => ({ value: k, label: SECRETS[k] }))} value={f.secretKind} onChange={(secretKind) => set({ secretKind, secret: "" })} />
          {f.secretKind !== "none" && (
            <TextField label={LABELS[f.secretKind]} type={f.secretKind === "password" ? "password" : "text"} autocomplete="new-password" value={f.secret} onInput={(secret) => set({ secret })} hint={f.secretKind === "password" ? (f.keeps ? "Left empty, it stays as it is." : "Kept sealed; it is never shown again.") : "Read by the service when it connects."} />
          )}
        </>
      )}
      <TextField label="Name of the connection" value={f.name} onInput={(name) => set({ name })} placeholder={suggestName(f.url) || "as the database"} />
    </div>
  );
}
