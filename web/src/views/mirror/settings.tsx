// SPDX-License-Identifier: MIT
// settings.tsx -- name, owner, and the definition as it is kept.
import { useState } from "preact/hooks";
import { type ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { Monitor } from "../../api/types";
import { Button } from "../../parts/button";
import { Field, TextField } from "../../parts/field";
import { Failure } from "../../parts/note";
import { Loading } from "../../parts/view";
import { useNotices } from "../../state/notices";
import { usePoll } from "../../state/poll";
import { may, useSession } from "../../state/session";

interface Props {
  id: service.MirrorId;
  monitor: Monitor;
}

/** One line to change: its button acts, its error stands below. */
function Change({ label, now, action, act }: { label: string; now: string; action: string; act: (value: string) => Promise<void> }) {
  const [value, setValue] = useState(now);
  const [error, setError] = useState<ApiError | null>(null);
  const submit = async (e: Event) => {
    e.preventDefault();
    setError(null);
    await act(value.trim()).catch((reason) => setError(shown(reason)));
  };
  return (
    <form class="change" onSubmit={submit}>
      <TextField label={label} value={value} onInput={setValue} />
      <Button type="submit" disabled={!value.trim() || value.trim() === now}>
        {action}
      </Button>
      <Failure error={error} />
    </form>
  );
}

function Definition({ id }: { id: service.MirrorId }) {
  const notices = useNotices();
  const { data, error, refresh } = usePoll(`${id.id}/definition`, () => service.definition(id), 0);
  const [text, setText] = useState<string | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const { me } = useSession();
  const now = data ? JSON.stringify(data, null, 2) : "";
  const save = async () => {
    let parsed: object;
    try {
      parsed = JSON.parse(text ?? now) as object;
    } catch (e) {
      return setWrong(`This is not JSON: ${(e as Error).message}`);
    }
    setWrong(null);
    setFailure(null);
    try {
      await service.updateDefinition(id, parsed);
      await refresh();
      setText(null);
      notices.say("The definition is kept; a running mirror takes it up");
    } catch (reason) {
      setFailure(shown(reason));
    }
  };
  if (error) return <Failure error={error} />;
  if (!data) return <Loading what="the definition" />;
  const mayChange = may(me, "contributor", id.ws);
  return (
    <div class="definition">
      <Field label="Definition (mirroring.json)" wrong={wrong} hint="As Fabric has it, with what is tain's own under properties.tain. It can be kept in version control.">
        {(ids) => <textarea {...ids} class="input" rows={22} value={text ?? now} readOnly={!mayChange} spellcheck={false} onInput={(e) => setText(e.currentTarget.value)} />}
      </Field>
      <Failure error={failure} />
      {mayChange && (
        <div class="actions">
          <Button kind="primary" disabled={text === null || text === now} onClick={save}>
            Save definition
          </Button>
          <Button disabled={text === null} onClick={() => setText(null)}>
            Undo
          </Button>
        </div>
      )}
    </div>
  );
}

export function Settings({ id, monitor: m }: Props) {
  const { me } = useSession();
  const notices = useNotices();
  const mayChange = may(me, "contributor", id.ws);
  const rename = async (name: string) => {
    await service.renameMirror(id, name);
    notices.say(`Renamed to ${name}`);
  };
  const transfer = async (user: string) => {
    await service.transferOwner(id, user);
    notices.say(`${user} owns it now`);
  };
  const isOwner = me.id !== null && m.owner?.id === me.id;
  return (
    <section class="settings" aria-label="Settings">
      {mayChange && <Change key={`n${m.displayName}`} label="Name" now={m.displayName} action="Rename" act={rename} />}
      {(may(me, "admin", id.ws) || isOwner) && <Change key={`o${m.owner?.name}`} label="Owner (name of a user)" now={m.owner?.name ?? ""} action="Transfer" act={transfer} />}
      <Definition id={id} />
    </section>
  );
}
