/** A lane for each expected alert: from the confirmed fault over the theory's band to the deadline, until it rings. */
import type { ScaleLinear } from 'd3-scale';
import { laneText } from './lane-text.js';
import { type Lane, laneName, type OtherAlert, type ScenarioView } from './view.js';
import { clock } from './words.js';

const laneHeight = 46;

interface LanesProps {
  scenario: ScenarioView;
  nowMs: number;
  x: ScaleLinear<number, number>;
  width: number;
}

export function Lanes({ scenario, nowMs, x, width }: LanesProps) {
  const rows = scenario.lanes.length + scenario.others.length;
  if (rows === 0) {
    return <p>No alert is awaited yet: lanes begin when the fault is seen to work.</p>;
  }
  const height = rows * laneHeight + 6;
  const label = `${scenario.lanes.length} expected alerts, ${scenario.others.length} others`;
  return (
    <svg height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <FaultBands scenario={scenario} nowMs={nowMs} x={x} height={height} />
      {scenario.lanes.map((lane, i) => (
        <LaneRow lane={lane} top={i * laneHeight} nowMs={nowMs} x={x} />
      ))}
      {scenario.others.map((other, i) => (
        <OtherRow other={other} top={(scenario.lanes.length + i) * laneHeight} x={x} />
      ))}
    </svg>
  );
}

function LaneRow({
  lane,
  top,
  nowMs,
  x,
}: {
  lane: Lane;
  top: number;
  nowMs: number;
  x: ScaleLinear<number, number>;
}) {
  const y = top + 32;
  const { armedAtMs, deadlineAtMs, notifiedAtMs, theory } = lane;
  const at = notifiedAtMs ?? Math.max(armedAtMs, nowMs);
  const isLate = at > deadlineAtMs || lane.missed !== undefined;
  const from = theory && x(Math.max(theory.earliestAtMs, armedAtMs));
  return (
    <g>
      <text x={4} y={top + 16}>
        {notifiedAtMs !== undefined && !isLate ? '✓ ' : isLate ? '✗ ' : '… '}
        {laneName(lane)} ({lane.severity}): {laneText(lane, nowMs)}
      </text>
      <line class="track" x1={x(armedAtMs)} x2={x(deadlineAtMs)} y1={y} y2={y} />
      <line class="band-edge" x1={x(deadlineAtMs)} x2={x(deadlineAtMs)} y1={y - 8} y2={y + 8} />
      {theory && from !== undefined && (
        <rect
          class="theory"
          x={from}
          y={y - 6}
          width={Math.max(2, x(theory.latestAtMs) - from)}
          height={12}
        />
      )}
      {notifiedAtMs === undefined ? (
        <circle class={isLate ? 'late' : 'dot'} cx={x(at)} cy={y} r={5} />
      ) : (
        <path class={isLate ? 'late' : 'rang'} d={`M${x(at)},${y - 9} l7,12 h-14 z`} />
      )}
    </g>
  );
}

function OtherRow({
  other,
  top,
  x,
}: {
  other: OtherAlert;
  top: number;
  x: ScaleLinear<number, number>;
}) {
  const y = top + 32;
  return (
    <g>
      <text x={4} y={top + 16}>
        + {other.alert} ({other.severity}): beside those that are awaited, at {clock(other.atMs)}
      </text>
      <rect class="dot" x={x(other.atMs) - 5} y={y - 5} width={10} height={10} />
    </g>
  );
}

/** From where each fault was seen to work to where it was taken back. */
export function FaultBands({
  scenario,
  nowMs,
  x,
  height,
}: {
  scenario: ScenarioView;
  nowMs: number;
  x: ScaleLinear<number, number>;
  height: number;
}) {
  return (
    <>
      {scenario.faults.map((fault) => {
        const from = fault.confirmedAtMs;
        if (from === undefined) return null;
        const end = fault.removedAtMs ?? nowMs;
        return (
          <g>
            <rect
              class="band"
              x={x(from)}
              y={0}
              width={Math.max(1, x(end) - x(from))}
              height={height}
            >
              <title>
                {fault.kind} on {fault.target}, {clock(from)} to {clock(end)}
              </title>
            </rect>
            <line class="band-edge" x1={x(from)} x2={x(from)} y1={0} y2={height} />
          </g>
        );
      })}
    </>
  );
}
