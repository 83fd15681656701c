/** The axis below a figure: seconds from a moment, or times in UTC with the date. */
import { roundRange, tickTime, timeTicks } from '../axis.js';
import { endOf, type Frame, xOf } from './frame.js';
import { type Html, markup, px } from './html.js';

/** Height of the axis below a panel. */
export const axisHeight = 40;

/** An axis labelled `seconds from the fault`, or minutes for a long span. */
export function sinceAxis(frame: Frame, zeroMs: number, from: string, y: number): Html {
  const [start, end] = [frame.startMs - zeroMs, frame.endMs - zeroMs].map((ms) => ms / 1000);
  const minutes = (end as number) - (start as number) > 300;
  const unit = minutes ? 60 : 1;
  const [low, high] = [(start as number) / unit, (end as number) / unit];
  const ticks = roundRange(low, high, countIn(frame)).ticks.filter((t) => t >= low && t <= high);
  const texts = ticks.map((t) => ({
    atMs: zeroMs + t * unit * 1000,
    text: String(Number(t.toPrecision(6))),
  }));
  return axis(frame, y, texts, `${minutes ? 'minutes' : 'seconds'} ${from}`);
}

export function clockAxis(frame: Frame, y: number): Html {
  const { startMs, endMs } = frame;
  const ticks = timeTicks(startMs, endMs, countIn(frame));
  const step = (ticks[1] ?? endMs) - (ticks[0] ?? startMs);
  const date = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const days = date(startMs) === date(endMs) ? date(endMs) : `${date(startMs)} to ${date(endMs)}`;
  const texts = ticks.map((atMs) => ({ atMs, text: tickTime(atMs, step) }));
  return axis(frame, y, texts, `UTC, ${days}`);
}

const countIn = ({ width, left, right }: Frame): number =>
  Math.max(2, Math.floor((width - left - right) / 75));

function axis(
  frame: Frame,
  y: number,
  ticks: readonly { atMs: number; text: string }[],
  name: string,
): Html {
  const marks = ticks.map(({ atMs, text }) => {
    const x = px(xOf(frame, atMs));
    return markup`<line class="axis" x1="${x}" x2="${x}" y1="${px(y + 4)}" y2="${px(y + 8)}"/>
<text class="tick" x="${x}" y="${px(y + 20)}" text-anchor="middle">${text}</text>`;
  });
  return markup`<g><line class="axis" x1="${frame.left}" x2="${px(endOf(frame))}" y1="${px(y + 4)}"
 y2="${px(y + 4)}"/>${marks}<text class="unit" x="${frame.left}" y="${px(y + 36)}">${name}</text></g>`;
}
