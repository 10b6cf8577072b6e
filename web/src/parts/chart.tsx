// SPDX-License-Identifier: MIT
// chart.tsx -- lines over time by uPlot, in the colours of the page. The same is there as a table, for who cannot see lines.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Samples } from "../api/types";
import { clock } from "../format/time";
import { useThemeTurns } from "../state/theme";
import { Button } from "./button";

export interface Line {
  label: string;
  values: Samples;
  fill?: boolean;
}

interface Props {
  title: string;
  times: number[];
  lines: readonly Line[];
  show: (value: number | null) => string;
  /** What is shown of time, up to the newest sample. */
  minutes: number;
  /** The least the axis reaches, so that noise is not made a mountain. */
  least: number;
}

const HEIGHT = 168;
const COLOURS = ["--series-1", "--series-2"];

/** What a colour of the tokens is here and now. */
function colour(host: HTMLElement, name: string): string {
  host.style.color = `var(${name})`;
  const value = getComputedStyle(host).color;
  host.style.color = "";
  return value;
}

function faint(rgb: string): string {
  const numbers = rgb.match(/[\d.]+/g) ?? ["0", "0", "0"];
  return `rgba(${numbers.slice(0, 3).join(",")},0.12)`;
}

function options(host: HTMLElement, p: Props, width: number): uPlot.Options {
  const muted = colour(host, "--muted");
  const grid = { stroke: colour(host, "--line"), width: 1 };
  const font = `12px ${getComputedStyle(host).fontFamily}`;
  const axis = { stroke: muted, grid, ticks: { show: false }, font };
  return {
    width,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    legend: { show: false },
    padding: [10, 8, 0, 0],
    scales: { x: { range: (_u, _min, max) => [max - p.minutes * 60, max] }, y: { range: (_u, _min, max) => [0, Math.max(p.least, (max ?? 0) * 1.1)] } },
    axes: [
      { ...axis, size: 26, space: 72, values: (_u, at) => at.map((t) => clock(new Date(t * 1000)).slice(0, 5)) },
      { ...axis, size: 64, space: 36, values: (_u, at) => at.map((v) => p.show(v)) },
    ],
    series: [
      {},
      ...p.lines.map((l, i) => {
        const stroke = colour(host, COLOURS[i % COLOURS.length]!);
        return { label: l.label, stroke, width: 1.5, points: { show: false }, ...(l.fill ? { fill: faint(stroke) } : {}) };
      }),
    ],
  };
}

function useChart(host: { current: HTMLDivElement | null }, p: Props, onPoint: (i: number | null) => void) {
  const chart = useRef<uPlot | null>(null);
  const turns = useThemeTurns();
  const data = [p.times, ...p.lines.map((l) => l.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const o = options(element, p, Math.max(element.clientWidth, 200));
    o.hooks = { setCursor: [(u) => onPoint(u.cursor.idx ?? null)] };
    const made = (chart.current = new uPlot(o, latest.current, element));
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(element.clientWidth, 200), height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      chart.current = null;
    };
  }, [turns, p.lines.length, p.minutes]);
  useEffect(() => chart.current?.setData(latest.current), [p.times, ...p.lines.map((l) => l.values)]);
}

export const lastKnown = (values: Samples) => [...values].reverse().find((v) => v !== null) ?? null;

function span(values: Samples, show: Props["show"]): string {
  const known = values.filter((v): v is number => v !== null);
  if (!known.length) return "nothing known yet";
  return `now ${show(lastKnown(values))}, least ${show(Math.min(...known))}, most ${show(Math.max(...known))}`;
}

export function Chart(p: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [point, setPoint] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  useChart(host, p, setPoint);
  const at = point !== null ? p.times[point] : undefined;
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption id={id}>
        <h3>{p.title}</h3>
        <Button kind="quiet" small icon="table" label={`${p.title} as a table`} pressed={asTable} onClick={() => setAsTable(!asTable)} />
      </figcaption>
      <div class="legend" aria-hidden="true">
        {p.lines.map((l, i) => (
          <span key={l.label} class={`legend-line series-${i + 1}`}>
            {l.label} <strong>{p.show(point !== null ? (l.values[point] ?? null) : lastKnown(l.values))}</strong>
          </span>
        ))}
        <span class="legend-time">{at !== undefined ? clock(new Date(at * 1000)) : ""}</span>
      </div>
      <div ref={host} class="plot" role="img" aria-label={p.lines.map((l) => `${l.label}: ${span(l.values, p.show)}`).join("; ")} />
      {asTable && <Samples {...p} />}
    </figure>
  );
}

const ROWS = 60;

/** The newest of them, newest first. */
function Samples(p: Props) {
  const rows = p.times.map((t, i) => ({ t, i })).slice(-ROWS).reverse();
  return (
    <div class="grid-frame samples" tabIndex={0} role="region" aria-label={`${p.title}, table`}>
      <table class="grid">
        <caption class="offscreen">{p.title}, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {p.lines.map((l) => (
              <th key={l.label} scope="col" class="number">
                {l.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ t, i }) => (
            <tr key={t}>
              <th scope="row">{clock(new Date(t * 1000))}</th>
              {p.lines.map((l) => (
                <td key={l.label} class="number">
                  {p.show(l.values[i] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
