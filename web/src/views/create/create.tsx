// SPDX-License-Identifier: MIT
// create.tsx -- a mirror in a minute: where from, which tables, what it is called.
import { useEffect, useRef, useState } from "preact/hooks";
import * as service from "../../api/service";
import type { Assessment, Connection } from "../../api/types";
import { ViewHead } from "../../parts/view";
import { hrefOf } from "../../state/route";
import { DEFAULTS, mirrorable } from "./draft";
import { Finish } from "./finish";
import { Source } from "./source";
import { Steps } from "./steps";
import { TableChoice } from "./tables";

export interface Picked {
  connection: Connection;
  database: string;
  assessment: Assessment;
}

/** What the wizard made, to try it. Once a mirror uses it, it is forgotten here; until then it goes when the wizard is left. */
export interface Own {
  connection: Connection | null;
}

function useOwn(onGone: () => void): Own {
  const own = useRef<Own>({ connection: null }).current;
  useEffect(() => {
    const drop = () => {
      if (!own.connection) return;
      service.deleteConnection(own.connection.id).catch(() => {});
      own.connection = null;
      onGone();
    };
    addEventListener("pagehide", drop);
    return () => {
      removeEventListener("pagehide", drop);
      drop();
    };
  }, []);
  return own;
}

export function Create() {
  const [step, setStep] = useState(0);
  const [picked, setPicked] = useState<Picked | null>(null);
  const [all, setAll] = useState(true);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [options, setOptions] = useState(DEFAULTS);
  const own = useOwn(() => {
    setPicked(null); // for a page that is come back to
    setStep(0);
  });

  const take = (p: Picked) => {
    const same = picked && picked.connection.id === p.connection.id && picked.database === p.database;
    setPicked(p);
    if (!same) {
      setChosen(mirrorable(p.assessment));
      setAll(true);
    }
    setStep(1);
  };
  return (
    <>
      <ViewHead title="New mirror" at="create" crumbs={[{ label: "Mirrors", href: hrefOf({ view: "mirrors" }) }]} />
      <Steps step={step} onStep={setStep} />
      {step === 0 && <Source before={picked} own={own} onDone={take} />}
      {step === 1 && picked && <TableChoice assessment={picked.assessment} all={all} chosen={chosen} onAll={setAll} onChosen={setChosen} onBack={() => setStep(0)} onDone={() => setStep(2)} />}
      {step === 2 && picked && <Finish picked={picked} own={own} all={all} chosen={chosen} options={options} onOptions={setOptions} onBack={() => setStep(1)} />}
    </>
  );
}
