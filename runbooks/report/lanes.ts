/** One lane for each alert that fired in a figure's time: from firing to resolved, with its deadline. */
import type { AlertRecord } from '../record.js';
import { clockText, labelsText } from '../words.js';
import { type Frame, shortened, xOf } from './frame.js';
import { type Html, markup, px } from './html.js';

export interface Mark {
  kind: 'expected' | 'allowed' | 'unexpected' | 'late';
  /** When it had to be received. */
  deadlineMs?: number;
  /** Beside the name, such as `3.7 s`. */
  note?: string;
}

const laneHeight = 25;
/** More lanes than this are counted, not drawn. */
const lanesMax = 14;

export function lanes(
  alerts: readonly AlertRecord[],
  frame: Frame,
  markOf: (alert: AlertRecord) => Mark,
  top: number,
): { html: Html[]; height: number } {
  const inside = alerts.filter(
    (a) => a.firedAtMs < frame.endMs && (a.resolvedAtMs ?? frame.endMs) > frame.startMs,
  );
  const order: Record<Mark['kind'], number> = { unexpected: 0, late: 1, expected: 1, allowed: 2 };
  const sorted = inside.toSorted(
    (a, b) => order[markOf(a).kind] - order[markOf(b).kind] || a.firedAtMs - b.firedAtMs,
  );
  const drawn = sorted.slice(0, lanesMax).map((alert, i) => {
    return lane(alert, markOf(alert), frame, top + i * laneHeight);
  });
  const more = sorted.length - drawn.length;
  if (more > 0) {
    const y = top + drawn.length * laneHeight + 14;
    drawn.push(
      markup`<text class="unit" x="${frame.left}" y="${y}">and ${more} more alerts</text>`,
    );
  }
  return { html: drawn, height: drawn.length * laneHeight };
}

function lane(alert: AlertRecord, mark: Mark, frame: Frame, top: number): Html {
  const from = xOf(frame, alert.receivedAtMs);
  const to = xOf(frame, alert.resolvedAtMs ?? frame.endMs);
  const y = top + 17;
  const right = frame.width - frame.right;
  const severity = alert.severity === 'page' ? '' : ` (${alert.severity})`;
  const text = `${alert.name}${severity}${mark.note === undefined ? '' : `  ${mark.note}`}`;
  const size = Math.min(text.length, 44) * 6.6;
  // The name stands over its bar; where it would leave the figure it ends with the figure.
  const anchored = from + size > frame.width - 4;
  const stop =
    alert.resolvedAtMs === undefined ? 'to the end' : `to ${clockText(alert.resolvedAtMs)}`;
  const title = `${alert.name} ${labelsText(alert.labels)}: ${clockText(alert.receivedAtMs)} ${stop}`;
  const deadline =
    mark.deadlineMs !== undefined && mark.deadlineMs <= frame.endMs
      ? deadlineMark(xOf(frame, mark.deadlineMs), y, mark, from)
      : '';
  return markup`<g class="lane ${mark.kind} ${alert.severity === 'page' ? 'page' : 'ticket'}"><title>${title}
</title>
${deadline}
<rect x="${px(from)}" y="${y}" width="${px(Math.max(3, Math.min(to, right) - from))}"
height="${alert.severity === 'page' ? 5 : 2}" rx="1"/>
<text x="${px(anchored ? frame.width - 4 : from)}" y="${y - 4}"${anchored ? markup` text-anchor="end"` : ''}>
${shortened(text, 44)}</text></g>`;
}

function deadlineMark(x: number, y: number, mark: Mark, from: number): Html {
  const title = `deadline${mark.kind === 'late' ? ', missed' : ''}`;
  const reach =
    from < x
      ? markup`<line class="reach" x1="${px(from)}" x2="${px(x)}" y1="${y + 2.5}" y2="${y + 2.5}"/>`
      : '';
  return markup`${reach}<line class="deadline" x1="${px(x)}" x2="${px(x)}" y1="${y - 4}" y2="${y + 8}"><title>
${title}</title></line>`;
}
