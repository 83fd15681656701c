/**
 * A lane for each expected alert: from the confirmed fault over the expected detection time to the deadline, until
 * the alert is notified.
 */
import { wakes } from '../../runbooks/pager.js';
import { shortened } from '../../base/drawing/frame.js';
import { Cursor, gutter, type TimeFrame } from './frame.js';
import { laneText } from './lane-text.js';
import { type Lane, laneName, laneState, type OtherAlert, type ScenarioView } from './view.js';
import { clock } from './words.js';

export const laneHeight = 42;
/** Alerts without a lane of their own have no deadline, and need less. */
export const otherHeight = 30;
/** Below this width a lane's state is shown under its name. */
const narrow = 640;
/** On average, in pixels. */
const letterWidth = 6.3;
const more = ({ width }: TimeFrame): number => (width < narrow ? 18 : 0);

interface LanesProps {
  scenario: ScenarioView;
  nowMs: number;
  frame: TimeFrame;
}

export function Lanes({ scenario, nowMs, frame }: LanesProps) {
  const { lanes, others } = scenario;
  const rows = lanes.length + others.length;
  if (rows === 0) {
    return <p class="empty">No alert is awaited yet: lanes begin when the fault takes effect.</p>;
  }
  const step = laneHeight + more(frame);
  const otherStep = otherHeight + more(frame);
  const height = lanes.length * step + others.length * otherStep + 4;
  const told = lanes.map((lane) => `${laneName(lane)}: ${laneText(lane, nowMs)}`);
  const label = [...told, ...others.map((o) => `${o.alert}: not among the expected`)].join('; ');
  return (
    <svg width={frame.width} height={height} role="img" aria-label={label}>
      <FaultBands scenario={scenario} nowMs={nowMs} frame={frame} height={height} />
      {lanes.map((lane, i) => (
        <LaneRow key={i} lane={lane} top={i * step} nowMs={nowMs} frame={frame} />
      ))}
      {others.map((other, i) => (
        <OtherRow
          key={`other ${i}`}
          other={other}
          top={lanes.length * step + i * otherStep}
          frame={frame}
        />
      ))}
      <Cursor frame={frame} height={height} />
    </svg>
  );
}

const leftOf = (width: number): number => (width < narrow ? 2 : gutter);
const below = (width: number) => (width < narrow ? { x: leftOf(width), dy: 17 } : { dx: 8 });

/** A name leaves room for its state. */
const nameLetters = (width: number): number =>
  (width / letterWidth) * (width < narrow ? 0.62 : 0.4);

interface RowProps {
  top: number;
  frame: TimeFrame;
}

function LaneRow({ lane, top, nowMs, frame }: RowProps & { lane: Lane; nowMs: number }) {
  const y = top + laneHeight + more(frame) - 12;
  const { x, width } = frame;
  const { armedAtMs, deadlineAtMs, theory } = lane;
  const cameAtMs = lane.hidden?.atMs ?? lane.notifiedAtMs;
  const at = cameAtMs ?? Math.max(armedAtMs, nowMs);
  const said = laneState(lane, nowMs);
  const words = laneText(lane, nowMs);
  const isLate = said === 'late';
  const state = { late: 'late', awaited: 'dot', came: 'rang' }[said];
  const mark = { late: '✗', awaited: '…', came: '✓' }[said];
  const from = theory && x(Math.max(theory.earliestAtMs, armedAtMs));
  return (
    <g>
      <text class="lane-text" x={leftOf(width)} y={top + 16}>
        <tspan class={`name ${state}`}>
          {mark} {shortened(laneName(lane), nameLetters(width))}
        </tspan>
        <tspan class="soft" dx={8}>
          {wakes(lane.severity) ? 'page' : lane.severity}
        </tspan>
        <tspan class={isLate ? 'late' : ''} {...below(width)}>
          {shortened(words, width < narrow ? width / letterWidth : Infinity)}
          <title>{words}</title>
        </tspan>
      </text>
      <line class="track" x1={x(armedAtMs)} x2={x(deadlineAtMs)} y1={y} y2={y} />
      {theory && from !== undefined && (
        <rect
          class="theory"
          x={from}
          y={y - 7}
          rx={3}
          width={Math.max(3, x(theory.latestAtMs) - from)}
          height={14}
        >
          <title>By the rule's arithmetic it fires within this band.</title>
        </rect>
      )}
      <line class={`run ${state}`} x1={x(armedAtMs)} x2={x(at)} y1={y} y2={y} />
      <line class="deadline" x1={x(deadlineAtMs)} x2={x(deadlineAtMs)} y1={y - 9} y2={y + 9}>
        <title>The deadline: {clock(deadlineAtMs)}</title>
      </line>
      {cameAtMs === undefined ? (
        <circle class={`mark ${state}`} cx={x(at)} cy={y} r={5} />
      ) : (
        <path class={`mark ${state}`} d={`M${x(at)},${y - 7}l6,7l-6,7l-6,-7z`} />
      )}
    </g>
  );
}

function OtherRow({ other, top, frame }: RowProps & { other: OtherAlert }) {
  const { x, toMs, width } = frame;
  const y = top + otherHeight + more(frame) - 7;
  const from = x(other.atMs);
  const until = x(other.resolvedAtMs ?? toMs);
  return (
    <g>
      <text class="lane-text" x={leftOf(width)} y={top + 13}>
        <tspan class="name">+ {shortened(other.alert, nameLetters(width))}</tspan>
        <tspan class="soft" dx={8}>
          {wakes(other.severity) ? 'page' : other.severity}
        </tspan>
        <tspan {...below(width)}>beside those that are awaited, at {clock(other.atMs)}</tspan>
      </text>
      <line class="other" x1={from} x2={Math.max(from + 2, until)} y1={y} y2={y} />
      <rect class="mark other" x={from - 4.5} y={y - 4.5} width={9} height={9} />
    </g>
  );
}

/** Bands from the confirmation of each fault to its rollback. */
export function FaultBands({
  scenario,
  nowMs,
  frame: { x, toMs },
  height,
  named,
}: {
  scenario: ScenarioView;
  nowMs: number;
  frame: TimeFrame;
  height: number;
  named?: boolean;
}) {
  const seen = scenario.faults.flatMap((fault) => {
    const { confirmedAtMs: from } = fault;
    return from === undefined ? [] : [{ ...fault, from, end: fault.removedAtMs ?? nowMs }];
  });
  const names = [...new Set(seen.map((f) => `${f.kind} on ${f.target}`))];
  const first = seen[0];
  return (
    <>
      {seen.map(({ kind, target, from, end }, i) => (
        <rect
          key={i}
          class="band"
          x={x(from)}
          y={0}
          width={Math.max(1, x(end) - x(from))}
          height={height}
        >
          <title>
            {kind} on {target}, {clock(from)} to {clock(end)}
          </title>
        </rect>
      ))}
      {seen.map(({ from }, i) => (
        <line key={i} class="band-edge" x1={x(from)} x2={x(from)} y1={0} y2={height} />
      ))}
      {named && first && (
        <text class="fault-name" x={x(first.from) + 8} y={height - 8}>
          ✱ {shortened(names.slice(0, 3).join(', '), (x(toMs) - x(first.from)) / 8)}
        </text>
      )}
    </>
  );
}
