/** Lanes of alerts above a figure: from receipt to resolution, with a name and, if there is one, the deadline. */
import { wakes } from '../pager.js';
import type { AlertRecord } from '../record.js';
import { clockText, labelsText, plural } from '../words.js';
import { type Frame, shortened, xOf } from '../../base/drawing/frame.js';
import { type Html, markup, px } from '../../base/drawing/html.js';

export interface Mark {
  kind: 'expected' | 'allowed' | 'unexpected' | 'late';
  /** The deadline for the receipt. */
  deadlineMs?: number;
  /** Text beside the name, such as `3.7 s`. */
  note?: string;
}

export interface LaneOptions {
  markOf: (alert: AlertRecord) => Mark;
  /** Maximum number of bars for allowed alerts, which are many and matter little. */
  allowedMax: number;
}

const laneHeight = 25;
/** Bars beyond this number are counted, not drawn. */
const barsMax = 24;
const characterWidth = 6.7;

/** Firings of one alert in one scenario, for several instances or times. */
interface Bar {
  alerts: AlertRecord[];
  mark: Mark;
  x: number;
  /** The extent of bar and name: a name that would leave the figure begins left of its bar. */
  from: number;
  end: number;
  text: string;
}

export function lanes(
  alerts: readonly AlertRecord[],
  frame: Frame,
  options: LaneOptions,
  top: number,
): { html: Html[]; height: number } {
  const inside = alerts.filter(
    (a) => a.firedAtMs < frame.endMs && (a.resolvedAtMs ?? frame.endMs) > frame.startMs,
  );
  const all = barsOf(inside, frame, options);
  const shown = all.filter((b) => b.mark.kind !== 'allowed').slice(0, barsMax);
  const allowed = all.filter((b) => b.mark.kind === 'allowed').slice(0, options.allowedMax);
  const rows: number[] = [];
  const place = (bar: Bar, first: number): Html => {
    let row = rows.findIndex((end, i) => i >= first && end + 14 < bar.from);
    if (row < 0) row = rows.length;
    rows[row] = bar.end;
    return barHtml(bar, frame, top + row * laneHeight);
  };
  const drawn = shown.map((bar) => place(bar, 0));
  // Placed below the others, regardless of the free space above.
  const below = rows.length;
  drawn.push(...allowed.map((bar) => place(bar, below)));
  let height = rows.length * laneHeight;
  const more = all.length - drawn.length;
  if (more > 0) {
    drawn.push(
      markup`<text class="unit" x="${frame.left}" y="${px(top + height + 14)}">
and ${plural(more, 'more', 'more')} that were allowed</text>`,
    );
    height += 20;
  }
  return { html: drawn, height };
}

function barsOf(alerts: readonly AlertRecord[], frame: Frame, { markOf }: LaneOptions): Bar[] {
  const groups = new Map<string, AlertRecord[]>();
  for (const alert of alerts) {
    const key = JSON.stringify([alert.name, alert.severity, alert.scenario, markOf(alert).kind]);
    groups.set(key, [...(groups.get(key) ?? []), alert]);
  }
  const order: Record<Mark['kind'], number> = { unexpected: 0, late: 1, expected: 1, allowed: 2 };
  return [...groups.values()]
    .map((list): Bar => {
      const sorted = list.toSorted((a, b) => a.receivedAtMs - b.receivedAtMs);
      const first = sorted[0] as AlertRecord;
      const mark = markOf(first);
      const text = nameOf(first, sorted.length, mark);
      const x = xOf(frame, first.receivedAtMs);
      const stop = Math.max(...sorted.map((a) => xOf(frame, a.resolvedAtMs ?? frame.endMs)));
      const wide = text.length * characterWidth;
      const from = Math.min(x, Math.max(0, frame.width - 4 - wide));
      const end = Math.max(stop, Math.min(frame.width, x + wide));
      return { alerts: sorted, mark, x, from, end, text };
    })
    .sort((a, b) => order[a.mark.kind] - order[b.mark.kind] || a.x - b.x);
}

function nameOf(alert: AlertRecord, count: number, mark: Mark): string {
  const severity = wakes(alert.severity) ? '' : ` (${alert.severity})`;
  const times = count > 1 ? ` ×${count}` : '';
  const note = mark.note === undefined ? '' : `  ${mark.note}`;
  return shortened(`${alert.name}${severity}${times}${note}`, 46);
}

function barHtml({ alerts, mark, x, text }: Bar, frame: Frame, top: number): Html {
  const y = top + 17;
  const right = frame.width - frame.right;
  const page = wakes(alerts[0]?.severity ?? 'none');
  // The name begins at its bar; a name that would leave the figure ends at the figure's edge.
  const anchored = x + text.length * characterWidth > frame.width - 4;
  const rects = alerts.map((a) => {
    const from = xOf(frame, a.receivedAtMs);
    const to = Math.min(xOf(frame, a.resolvedAtMs ?? frame.endMs), right);
    return markup`<rect x="${px(from)}" y="${y}" width="${px(Math.max(3, to - from))}"
 height="${page ? 5 : 2}" rx="1"/>`;
  });
  const due = mark.deadlineMs;
  const deadline = due !== undefined && due <= frame.endMs && deadlineMark(xOf(frame, due), y, x);
  return markup`<g class="lane ${mark.kind} ${page ? 'page' : 'ticket'}"><title>${titleOf(alerts)}</title>
${deadline}${rects}
<text x="${px(anchored ? frame.width - 4 : x)}" y="${y - 4}"
${anchored ? markup` text-anchor="end"` : ''}>${text}</text></g>`;
}

function titleOf(alerts: readonly AlertRecord[]): string {
  const lines = alerts.slice(0, 12).map((a) => {
    const stop = a.resolvedAtMs === undefined ? 'to the end' : `to ${clockText(a.resolvedAtMs)}`;
    return `${a.name} ${labelsText(a.labels)}: ${clockText(a.receivedAtMs)} ${stop}`;
  });
  return lines.join('; ');
}

function deadlineMark(x: number, y: number, from: number): Html {
  const reach =
    from < x &&
    markup`<line class="reach" x1="${px(from)}" x2="${px(x)}" y1="${y + 2.5}" y2="${y + 2.5}"/>`;
  return markup`${reach}<line class="deadline" x1="${px(x)}" x2="${px(x)}" y1="${y - 4}"
 y2="${y + 8}"><title>deadline</title></line>`;
}
