// SPDX-License-Identifier: MIT
// finish.tsx -- the third step: name, workspace, options; then it starts.
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import { plural } from "../../format/number";
import { suggestName } from "../../format/source";
import { Button } from "../../parts/button";
import { CheckField, SelectField, TextField } from "../../parts/field";
import { Failure } from "../../parts/note";
import { Loading } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { usePoll } from "../../state/poll";
import { go } from "../../state/route";
import { may, useSession } from "../../state/session";
import type { Own, Picked } from "./create";
import { anyWrong, definitionOf, mirrorable, type Options } from "./draft";
import { OptionFields } from "./options";
import { StepTitle } from "./steps";

interface Props {
  picked: Picked;
  own: Own;
  all: boolean;
  chosen: ReadonlySet<string>;
  options: Options;
  onOptions: (o: Options) => void;
  onBack: () => void;
}

const NEW = "new";

export function Finish({ picked, own, all, chosen, options, onOptions, onBack }: Props) {
  const { me } = useSession();
  const notices = useNotices();
  const { data, error: listError } = usePoll("create/workspaces", service.workspaces, 0);
  const [name, setName] = useState(picked.database.trim() || suggestName(picked.connection.url));
  const [ws, setWs] = useState("");
  const [newWs, setNewWs] = useState("Main");
  const [start, setStart] = useState(true);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const made = useRef<{ ws?: string; id?: string }>({}); // so that pressing again goes on where it failed
  const usable = data?.filter((w) => may(me, "contributor", w.id)) ?? [];
  const canMake = may(me, "contributor");
  useEffect(() => {
    if (data && !ws) setWs(usable[0]?.id ?? NEW);
  }, [data, ws]);
  const possible = mirrorable(picked.assessment);
  const wanted = [...chosen].filter((n) => possible.has(n));

  const create = async (e: Event) => {
    e.preventDefault();
    if (busy || !name.trim() || anyWrong(options)) return;
    setBusy(true);
    setError(null);
    try {
      const into = ws === NEW ? (made.current.ws ??= (await service.createWorkspace(newWs.trim())).id) : ws;
      const definition = definitionOf({ connection: picked.connection.id, url: picked.connection.url, database: picked.database, all, chosen: new Set(wanted), options });
      const id = (made.current.id ??= (await service.createMirror(into, name.trim(), definition)).id);
      if (own.connection?.id === picked.connection.id) own.connection = null;
      if (start) await service.start({ ws: into, id });
      notices.say(start ? `${name.trim()} is starting` : `${name.trim()} is made`);
      go({ view: "mirror", ws: into, id, tab: "tables" });
    } catch (reason) {
      setError(shown(reason));
      setBusy(false);
    }
  };
  if (!data) return listError ? <Failure error={listError} /> : <Loading what="workspaces" />;
  const places = [...usable.map((w) => [w.id, w.displayName] as const), ...(canMake ? [[NEW, "New workspace…"] as const] : [])];
  return (
    <form class="wizard" onSubmit={create} noValidate>
      <StepTitle>What is it called?</StepTitle>
      <div class="fields">
        <TextField label="Name of the mirror" value={name} onInput={setName} required wrong={name.trim() ? null : "A name is needed."} hint="Also the name of its folder in the lake." />
        <SelectField label="Workspace" value={ws} options={places} onChange={setWs} />
        {ws === NEW && <TextField label="Name of the workspace" value={newWs} onInput={setNewWs} required />}
      </div>
      <details class="panel more-options">
        <summary>Options</summary>
        <OptionFields url={picked.connection.url} options={options} onChange={onOptions} />
      </details>
      <dl class="review">
        <dt>Source</dt>
        <dd>
          {picked.connection.displayName} <span class="muted">{picked.connection.url}</span>
        </dd>
        <dt>Tables</dt>
        <dd>{all ? `All (${plural(possible.size, "table")} now), later ones too` : plural(wanted.length, "table")}</dd>
      </dl>
      <CheckField label="Start at once" checked={start} onChange={setStart} />
      <Failure error={error} />
      <footer class="wizard-foot">
        <Button icon="left" onClick={onBack}>
          Back
        </Button>
        <Button type="submit" kind="primary" icon={start ? "play" : "check"} busy={busy} disabled={!name.trim() || anyWrong(options)}>
          {start ? "Start mirroring" : "Make mirror"}
        </Button>
      </footer>
    </form>
  );
}
