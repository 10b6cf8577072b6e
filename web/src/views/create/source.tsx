// SPDX-License-Identifier: MIT
// source.tsx -- the first step: a connection that is there, or a new one; it is tried, and its tables are assessed.
import { useEffect, useState } from "preact/hooks";
import { ApiError, shown } from "../../api/http";
import * as service from "../../api/service";
import type { Connection } from "../../api/types";
import { parseAddress } from "../../format/source";
import { Button } from "../../parts/button";
import { Choice } from "../../parts/choice";
import { TextField } from "../../parts/field";
import { Icon } from "../../parts/icon";
import { Failure } from "../../parts/note";
import { Loading } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { type ConnectionForm, ConnectionFields, editOf, EMPTY_FORM, wrongForm } from "../connections/form";
import type { Own, Picked } from "./create";
import { StepTitle } from "./steps";

const NEW = "new";

/** What a test that answered "no" says, as an error like any other. */
export function testFailure(r: { message?: string | null; remedy?: string | null }): ApiError {
  return new ApiError(200, "TestFailed", r.message || "The source could not be reached.", r.remedy ?? null);
}

type Phase = "" | "Trying the connection" | "Assessing its tables";

export function Source({ before, own, onDone }: { before: Picked | null; own: Own; onDone: (p: Picked) => void }) {
  const { data: list, error: listError, refresh } = usePoll("create/connections", service.connections, 0);
  const [which, setWhich] = useState<string | null>(before?.connection.id ?? null);
  const [form, setForm] = useState<ConnectionForm>(EMPTY_FORM);
  const [tried, setTried] = useState(false);
  const [database, setDatabase] = useState(before?.database ?? "");
  const [phase, setPhase] = useState<Phase>("");
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    if (list && which === null) setWhich(list.length ? list[0]!.id : NEW);
  }, [list, which]);

  /** It is changed when it was wrong, not made twice. */
  const save = async (): Promise<Connection> => {
    const edit = editOf(form);
    if (own.connection) await service.changeConnection(own.connection.id, edit);
    else own.connection = await service.createConnection(edit);
    return { ...own.connection, displayName: edit.displayName ?? "", url: edit.url ?? "" };
  };
  const proceed = async (e: Event) => {
    e.preventDefault();
    if (phase) return;
    setTried(true);
    if (which === NEW && wrongForm(form)) return;
    setError(null);
    try {
      setPhase("Trying the connection");
      const connection = which === NEW ? await save() : list!.find((c) => c.id === which)!;
      const test = await service.testConnection(connection.id);
      if (!test.ok) throw testFailure(test);
      setPhase("Assessing its tables");
      const assessment = await service.assess(connection.id, database.trim() || null);
      if (which === NEW) await refresh();
      onDone({ connection, database, assessment });
    } catch (reason) {
      setError(shown(reason));
    }
    setPhase("");
  };
  if (!list) return listError ? <Failure error={listError} /> : <Loading what="connections" />;
  const chosen = list.find((c) => c.id === which);
  const address = parseAddress(chosen?.url ?? form.url);
  const options = [
    ...list.map((c) => ({ value: c.id, label: c.displayName, hint: c.url })),
    { value: NEW, label: <><Icon name="plus" /> New connection</>, hint: "By address, with its password kept sealed" },
  ];
  return (
    <form class="wizard" onSubmit={proceed} noValidate>
      <StepTitle first={before === null}>What is to be mirrored?</StepTitle>
      {list.length > 0 && <Choice legend="Connection" kind="cards" options={options} value={which} onChange={setWhich} />}
      {which === NEW && <ConnectionFields form={form} onChange={setForm} tried={tried} />}
      {address?.kind === "PostgreSQL" && (
        <div class="fields">
          <TextField label="Database (if not the one of the address)" value={database} onInput={setDatabase} placeholder={address.database ?? ""} />
        </div>
      )}
      <Failure error={error} />
      <footer class="wizard-foot">
        <Button type="submit" kind="primary" busy={phase !== ""}>
          Test and assess
        </Button>
        <span class="muted" role="status">
          {phase && `${phase}…`}
        </span>
      </footer>
    </form>
  );
}
