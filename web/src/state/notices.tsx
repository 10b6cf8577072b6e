// SPDX-License-Identifier: MIT
// notices.tsx -- what was done, said in a corner and to screen readers. Errors stay until they are closed.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { ApiError } from "../api/http";

export interface Notice {
  id: number;
  text: string;
  error: ApiError | null;
}

export interface Notices {
  say: (text: string) => void;
  fail: (what: string, reason: unknown) => void;
}

export const NoticesContext = createContext<Notices>({ say: () => {}, fail: () => {} });
export const useNotices = () => useContext(NoticesContext);
