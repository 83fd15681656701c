/**
 * Plots the callers' results, second by second: the share of answered requests, and the latency of the slowest of
 * twenty.
 */
import { linearScale, linearTicks } from '../../base/axis.js';
import { percentText } from '../../runbooks/words.js';
import { Cursor, pointerMs, TimeAxis, type TimeFrame, ValueTick } from './frame.js';
import { FaultBands } from './lanes.js';
import type { DayView, ScenarioView } from './view.js';
import { clock } from './words.js';

interface Props {
  day: DayView;
  scenario: ScenarioView;
  nowMs: number;
  frame: TimeFrame;
  /** The height of each of the two plots. */
  height: number;
}

type Load = DayView['load'][number];

const answeredShare = ({ requests, errors }: Load): number => 1 - errors / requests;

export function Callers({ day, scenario, nowMs, frame, height }: Props) {
  const load = day.load.filter((l) => l.atMs >= frame.fromMs && l.atMs <= frame.toMs + 1000);
  const answered = load.filter((l) => l.requests > 0);
  const slowest = answered.reduce((most, l) => Math.max(most, l.p95Ms), 10);
  const worst = answered.reduce((least, l) => Math.min(least, answeredShare(l)), 1);
  // The scale also shows a few errors among many requests.
  const low = worst >= 0.95 ? 0.95 : Math.max(0, Math.floor(worst * 10 - 1e-9) / 10);
  const share = linearScale([low, 1], [height - 9, 9]);
  const most = linearTicks(0, slowest * 1.25, 3).at(-1) ?? slowest;
  const late = linearScale([0, Math.max(most, slowest)], [height - 1, 12]);
  const said = near(answered, pointerMs.value) ?? answered.at(-1);
  const words = saidOf(said);
  const last = answered.at(-1);
  const box = { scenario, nowMs, frame };
  return (
    <>
      <p class="said" aria-live="off">
        {words}
      </p>
      <svg width={frame.width} height={height} role="img" aria-label={`answered: ${words}`}>
        <FaultBands {...box} height={height} named />
        {linearTicks(low, 1, 3).map((tick) => (
          <ValueTick key={tick} frame={frame} y={share(tick)} text={percentText(tick)} />
        ))}
        {last && (
          <circle class="good-dot" cx={frame.x(last.atMs)} cy={share(answeredShare(last))} r={4} />
        )}
        <path
          class="good-line"
          d={steps(answered.map((l) => [frame.x(l.atMs), share(answeredShare(l))]))}
        />
        <Cursor frame={frame} height={height} />
      </svg>
      <svg width={frame.width} height={height + 24} role="img" aria-label={`p95: ${words}`}>
        <FaultBands {...box} height={height} />
        {linearTicks(0, Math.max(most, slowest), 3).map((tick) => (
          <ValueTick key={tick} frame={frame} y={late(tick)} text={`${tick} ms`} />
        ))}
        {last && <circle class="slow-dot" cx={frame.x(last.atMs)} cy={late(last.p95Ms)} r={4} />}
        <path class="slow-line" d={steps(answered.map((l) => [frame.x(l.atMs), late(l.p95Ms)]))} />
        <Cursor frame={frame} height={height} />
        <TimeAxis frame={frame} y={height} />
      </svg>
    </>
  );
}

const near = (load: readonly Load[], atMs: number | undefined): Load | undefined =>
  atMs === undefined || load.length === 0
    ? undefined
    : load.reduce((a, b) => (Math.abs(b.atMs - atMs) < Math.abs(a.atMs - atMs) ? b : a));

function saidOf(load: Load | undefined) {
  if (load === undefined) return 'no request in this stretch';
  const { atMs, requests, p95Ms } = load;
  const share = percentText(answeredShare(load));
  return `${clock(atMs)}: ${share} answered of ${requests} requests in a second, p95 ${p95Ms.toFixed(0)} ms`;
}

/** Drawn in steps: a second's value is known when it ends, and no effect may appear before its cause. */
const steps = (points: readonly (readonly [number, number])[]): string =>
  points
    .map(([px, py], i) =>
      i === 0 ? `M${px.toFixed(1)},${py.toFixed(1)}` : `H${px.toFixed(1)}V${py.toFixed(1)}`,
    )
    .join('');
