/** What callers saw, second by second: the share that was answered, and how long the slowest of twenty took. */
import { signal } from '@preact/signals';
import { scaleLinear, type ScaleLinear } from 'd3-scale';
import { percentText } from '../../runbooks/words.js';
import type { DayView, ScenarioView } from './view.js';
import { FaultBands } from './lanes.js';
import { clock } from './words.js';

const height = 120;
const pointer = signal<number | undefined>(undefined);

interface Props {
  day: DayView;
  scenario: ScenarioView;
  nowMs: number;
  x: ScaleLinear<number, number>;
  width: number;
}

export function Callers({ day, scenario, nowMs, x, width }: Props) {
  const [fromMs = 0, toMs = 0] = x.domain();
  const load = day.load.filter((l) => l.atMs >= fromMs && l.atMs <= toMs + 1000);
  if (load.length === 0) return <p>Nothing was asked yet.</p>;
  const answered = load.filter((l) => l.requests > 0);
  const slowest = Math.max(10, ...answered.map((l) => l.p95Ms));
  const share = scaleLinear().domain([0, 1]).range([height, 8]);
  const late = scaleLinear().domain([0, slowest]).nice().range([height, 8]);
  const near =
    pointer.value === undefined
      ? undefined
      : answered.reduce((a, b) =>
          Math.abs(x(b.atMs) - (pointer.value ?? 0)) < Math.abs(x(a.atMs) - (pointer.value ?? 0))
            ? b
            : a,
        );
  const last = answered.at(-1);
  const said = near ?? last;
  const words =
    said === undefined
      ? 'no request in this stretch'
      : `${clock(said.atMs)}: ${percentText(1 - said.errors / said.requests)} answered of ` +
        `${said.requests} a second, p95 ${said.p95Ms.toFixed(0)} ms`;
  const move = (event: PointerEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    pointer.value = ((event.clientX - box.left) / box.width) * width;
  };
  const bands = <FaultBands scenario={scenario} nowMs={nowMs} x={x} height={height} />;
  return (
    <div onPointerMove={move} onPointerLeave={() => (pointer.value = undefined)}>
      <p>
        <strong>{words}</strong>
      </p>
      <svg
        height={height + 16}
        viewBox={`0 0 ${width} ${height + 16}`}
        role="img"
        aria-label={words}
      >
        {bands}
        {share.ticks(3).map((tick) => (
          <Tick y={share(tick)} text={percentText(tick)} width={width} />
        ))}
        <path
          class="good-line"
          d={path(answered.map((l) => [x(l.atMs), share(1 - l.errors / l.requests)]))}
        />
        {near && <line class="cursor" x1={x(near.atMs)} x2={x(near.atMs)} y1={0} y2={height} />}
      </svg>
      <svg height={height + 24} viewBox={`0 0 ${width} ${height + 24}`} aria-hidden="true">
        {bands}
        {late.ticks(3).map((tick) => (
          <Tick y={late(tick)} text={`${tick} ms`} width={width} />
        ))}
        <path class="slow-line" d={path(answered.map((l) => [x(l.atMs), late(l.p95Ms)]))} />
        {near && <line class="cursor" x1={x(near.atMs)} x2={x(near.atMs)} y1={0} y2={height} />}
        {x.ticks(6).map((tick) => (
          <text class="soft" x={x(tick)} y={height + 18} text-anchor="middle">
            {clock(tick)}
          </text>
        ))}
      </svg>
      <p>
        <svg width="34" height="10" style={{ display: 'inline', width: '34px' }} aria-hidden="true">
          <path class="good-line" d="M0,5 h34" />
        </svg>{' '}
        answered{'  '}
        <svg width="34" height="10" style={{ display: 'inline', width: '34px' }} aria-hidden="true">
          <path class="slow-line" d="M0,5 h34" />
        </svg>{' '}
        p95
      </p>
    </div>
  );
}

function Tick({ y, text, width }: { y: number; text: string; width: number }) {
  return (
    <>
      <line class="grid" x1={0} x2={width} y1={y} y2={y} />
      <text class="soft" x={2} y={y - 3}>
        {text}
      </text>
    </>
  );
}

/** In steps: a second's value is known when it ends, and no effect may seem to come before its cause. */
const path = (points: readonly (readonly [number, number])[]): string =>
  points
    .map(([px, py], i) =>
      i === 0 ? `M${px.toFixed(1)},${py.toFixed(1)}` : `H${px.toFixed(1)}V${py.toFixed(1)}`,
    )
    .join('');
