// SPDX-License-Identifier: MIT
// access.tsx -- who may come in: users and roles, tokens of programs, and what was done.
import * as service from "../../api/service";
import { ViewHead } from "../../parts/view";
import { usePoll } from "../../state/poll";
import { may, useSession } from "../../state/session";
import { Audit } from "./audit";
import { Tokens } from "./tokens";
import { Users } from "./users";

const EVERY = 5_000;

export function Access() {
  const { me } = useSession();
  const admin = may(me, "admin");
  const users = usePoll(admin ? "users" : null, service.users, EVERY);
  return (
    <>
      <ViewHead title="Access" at="access" lead={me.id === null ? "On this machine the owner of the service needs no password. Users and tokens are for who comes from elsewhere." : undefined} />
      {admin && <Users users={users} />}
      <Tokens users={users.data ?? []} />
      {admin && <Audit />}
    </>
  );
}
