// SPDX-License-Identifier: MIT
// session.tsx -- who is using the page, and what they may do.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Me, Role } from "../api/types";

const RANK: Record<Role, number> = { viewer: 1, contributor: 2, admin: 3 };

/** Whether somebody may do what takes that role, in the service or in one workspace, where the larger of the two holds. */
export function may(me: Me, role: Role, ws?: string): boolean {
  const here = ws ? (me.workspaces?.[ws] ?? null) : null;
  return Math.max(me.role ? RANK[me.role] : 0, here ? RANK[here] : 0) >= RANK[role];
}

/** Whether that role is held anywhere at all. */
export function mayAnywhere(me: Me, role: Role): boolean {
  return may(me, role) || Object.keys(me.workspaces ?? {}).some((ws) => may(me, role, ws));
}

export interface Session {
  me: Me;
  /** Asks again who one is: after signing in or out. */
  again: () => Promise<void>;
}

const nobody: Session = { me: { id: null, name: null, role: null, login: false }, again: async () => {} };
export const SessionContext = createContext<Session>(nobody);
export const useSession = () => useContext(SessionContext);
