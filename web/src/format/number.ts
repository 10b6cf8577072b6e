// SPDX-License-Identifier: MIT
// number.ts -- numbers as people read them. What is not known is a dash.

export const NONE = "–";

type Maybe = number | null | undefined;

const known = (n: Maybe): n is number => typeof n === "number" && Number.isFinite(n);

/** 1234567 -> "1,234,567" */
export function count(n: Maybe): string {
  return known(n) ? Math.round(n).toLocaleString("en-US") : NONE;
}

/** Three digits and a magnitude. */
function scaled(n: number, step: number, units: readonly string[]): string {
  let i = 0;
  let value = Math.abs(n);
  while (i < units.length - 1 && Number(value.toPrecision(3)) >= step) {
    value /= step;
    i++;
  }
  const digits = i === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const text = value.toFixed(digits);
  return `${n < 0 ? "-" : ""}${digits ? text.replace(/\.?0+$/, "") : text}${units[i] ? " " + units[i] : ""}`;
}

/** 1234567 -> "1.23 M" */
export function compact(n: Maybe): string {
  return known(n) ? scaled(n, 1000, ["", "k", "M", "G", "T"]) : NONE;
}

/** 1536 -> "1.5 KiB" */
export function bytes(n: Maybe): string {
  return known(n) ? scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]) : NONE;
}

/** 0.123 -> "12 %" */
export function share(n: Maybe): string {
  return known(n) ? `${Math.round(n * 100)} %` : NONE;
}

/** A rate with its sign of smallness: 0.04 -> "< 0.1". */
export function rate(n: Maybe): string {
  if (!known(n)) return NONE;
  if (n > 0 && n < 0.1) return "< 0.1";
  return n < 10 ? n.toFixed(1).replace(/\.0$/, "") : compact(n);
}

/** "1 table", "2 tables" */
export function plural(n: number, one: string, many = one + "s"): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
