/**
 * Series over time: a colour and a dash each, thresholds drawn and named, and the values under the pointer as text.
 */
import { linearScale, linearTicks, logScale, logTicks, type Scale } from '../../base/axis.js';
import { lineClass } from '../../base/drawing/lines.js';
import { spread } from '../../base/drawing/points.js';
import { type Points, pathOf } from './series-path.js';
import {
  Cursor,
  Pointed,
  pointerMs,
  Sized,
  TimeAxis,
  type TimeFrame,
  timeFrame,
  ValueTick,
} from './frame.js';

export interface Line {
  name: string;
  points: Points;
}

export interface Threshold {
  at: number;
  name: string;
}

interface PlotProps {
  title: string;
  fromMs: number;
  toMs: number;
  lines: readonly Line[];
  thresholds?: readonly Threshold[];
  textOf: (value: number) => string;
  /** Fixed ends of the axis; values outside are drawn at the end. */
  low?: number;
  high?: number;
  log?: true;
  empty: string;
}

const height = 170;

/** JSON has no NaN, which is the burn rate of a time without events: such a point comes with null. */
const isNumber = ([, value]: Line['points'][number]): boolean => Number.isFinite(value);

export function Plot(props: PlotProps) {
  const { title, fromMs, toMs, lines, empty } = props;
  const isEmpty = !lines.some((l) => l.points.some(isNumber));
  return (
    <section>
      <h2>{title}</h2>
      {isEmpty ? (
        <p class="empty">{empty}</p>
      ) : (
        <Sized>
          {(width) => {
            const frame = timeFrame(fromMs, toMs, width);
            return (
              <Pointed frame={frame}>
                <Picture {...props} frame={frame} />
              </Pointed>
            );
          }}
        </Sized>
      )}
    </section>
  );
}

function Picture({
  title,
  frame,
  lines,
  thresholds = [],
  textOf,
  ...axis
}: PlotProps & { frame: TimeFrame }) {
  const { y, ticks } = axisOf(lines, thresholds, axis);
  const at = pointerMs.value;
  // Names of thresholds that lie close together are moved apart.
  const names = spread(
    thresholds.map((t) => y(t.at) - 4),
    14,
    10,
    height - 4,
  );
  const said = lines.map(({ name, points }) => {
    const point = at === undefined ? points.at(-1) : nearest(points, at);
    return { name, text: point && isNumber(point) ? textOf(point[1]) : 'no data' };
  });
  const words = said.map(({ name, text }) => `${name} ${text}`).join(', ');
  return (
    <>
      <p class="legend">
        {said.map(({ name, text }, i) => (
          <span key={name}>
            <svg width="30" height="10" aria-hidden="true">
              <path class={`line ${lineClass(i)}`} d="M0,5h30" />
            </svg>
            {name} <strong>{text}</strong>
          </span>
        ))}
      </p>
      <svg width={frame.width} height={height + 24} role="img" aria-label={`${title}: ${words}`}>
        {ticks.map((tick) => (
          <ValueTick key={tick} frame={frame} y={y(tick)} text={textOf(tick)} />
        ))}
        {lines.map(({ name, points }, i) => (
          <path key={name} class={`line ${lineClass(i)}`} d={pathOf(points, frame.x, y)} />
        ))}
        {thresholds.map(({ at: value, name }, i) => (
          <g key={`${name} ${value}`}>
            <line
              class="threshold"
              x1={frame.x(frame.fromMs)}
              x2={frame.x(frame.toMs)}
              y1={y(value)}
              y2={y(value)}
            />
            <text class="threshold-name" x={frame.x(frame.toMs)} y={names[i]} text-anchor="end">
              {name}
            </text>
          </g>
        ))}
        <Cursor frame={frame} height={height} />
        <TimeAxis frame={frame} y={height} />
      </svg>
    </>
  );
}

function axisOf(
  lines: readonly Line[],
  thresholds: readonly Threshold[],
  { low, high, log }: Pick<PlotProps, 'low' | 'high' | 'log'>,
): { y: Scale; ticks: number[] } {
  const values = [
    ...lines.flatMap((l) => l.points.map(([, v]) => v)),
    ...thresholds.map((t) => t.at),
  ];
  const finite = values.filter((v) => Number.isFinite(v));
  const most = high ?? Math.max(...finite);
  const room: [number, number] = [height - 2, 14];
  if (log) {
    const [from, to] = [low ?? 0.1, Math.max(10, 10 ** Math.ceil(Math.log10(Math.max(1, most))))];
    return { y: logScale([from, to], room), ticks: logTicks(from, to) };
  }
  const least = low ?? Math.min(0, ...finite);
  const top = most > least ? most : least + 1;
  return { y: linearScale([least, top], room), ticks: linearTicks(least, top, 4) };
}

const nearest = (points: Line['points'], atMs: number): Line['points'][number] | undefined =>
  points.reduce<Line['points'][number] | undefined>(
    (a, b) => (a === undefined || Math.abs(b[0] - atMs) < Math.abs(a[0] - atMs) ? b : a),
    undefined,
  );
