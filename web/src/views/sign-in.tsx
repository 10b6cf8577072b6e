// SPDX-License-Identifier: MIT
// sign-in.tsx -- for who comes from elsewhere and has no token.
import { useEffect, useState } from "preact/hooks";
import { ApiError, shown } from "../api/http";
import * as service from "../api/service";
import { Brand } from "../parts/brand";
import { Button } from "../parts/button";
import { TextField } from "../parts/field";
import { Failure } from "../parts/note";

export function SignIn({ onDone }: { onDone: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    document.title = "Sign in · tain";
  }, []);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await service.signIn(name, password);
      await onDone();
    } catch (reason) {
      setError(shown(reason));
    }
    setBusy(false);
  };
  return (
    <main class="alone">
      <form class="sign-in" onSubmit={submit}>
        <div class="brand">
          <Brand />
          <span>tain</span>
        </div>
        <h1>Sign in</h1>
        <TextField label="Name" value={name} onInput={setName} autocomplete="username" required />
        <TextField label="Password" type="password" value={password} onInput={setPassword} autocomplete="current-password" required />
        <Failure error={error} />
        <Button type="submit" kind="primary" busy={busy}>
          Sign in
        </Button>
      </form>
    </main>
  );
}
