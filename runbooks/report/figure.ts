/**
 * A figure: alerts above, one small panel for each measure below, all on one time axis, with the faults' times across
 * all panels.
 */
import { type Frame, xOf } from '../../base/drawing/frame.js';
import { frameData } from '../../base/drawing/hover.js';
import { type Html, markup, px } from '../../base/drawing/html.js';
import { legendHeight, type Panel, panelSvg } from '../../base/drawing/panel.js';
import { axisHeight, sinceAxis } from '../../base/drawing/time-axis.js';
import { clockText, timesText } from '../words.js';
import type { AlertRecord, FaultRecord, GameDayRecord, SeriesRecord } from '../record.js';
import { valueRange } from './axes.js';
import { lanes, type Mark } from './lanes.js';

export interface FigureOptions {
  startMs: number;
  endMs: number;
  zeroMs: number;
  axisLabel: string;
  width: 'wide' | 'narrow';
  /** Named bands along the top, such as scenarios or phases. */
  bands: { startMs: number; endMs: number; text: string }[];
  faults: readonly FaultRecord[];
  alerts: readonly AlertRecord[];
  /** The deadline and note of an alert's lane. */
  markOf: (alert: AlertRecord) => Mark;
  allowedMax: number;
  /** A panel for certificates is only useful if they expire. */
  certificates: boolean;
  label: string;
}

type PanelName = SeriesRecord['panel'];

const panels: { id: PanelName; title: string; unit: string; said: Panel['said'] }[] = [
  { id: 'success', title: 'Success rate', unit: 'of requests', said: { factor: 100, suffix: '%' } },
  { id: 'latency', title: 'Latency p95', unit: 'ms', said: { factor: 1, suffix: ' ms' } },
  { id: 'retries', title: 'Retries', unit: 'for each request', said: { factor: 1, suffix: '' } },
  {
    id: 'burn',
    title: 'Burn rate over an hour',
    unit: 'times the allowed rate',
    said: { factor: 1, suffix: 'x' },
  },
  {
    id: 'certificates',
    title: 'Certificate life left',
    unit: 's',
    said: { factor: 1, suffix: ' s' },
  },
];

const height = 84;
const titleHeight = 36;
const legendColumns = 2;

export function figure(record: GameDayRecord, options: FigureOptions): Html {
  const wide = options.width === 'wide';
  const width = wide ? 960 : 360;
  const { startMs, endMs, zeroMs } = options;
  const frame: Frame = { startMs, endMs, width, left: wide ? 52 : 42, right: wide ? 164 : 14 };
  const top = options.bands.length > 0 ? 30 : 8;
  const laneBlock = lanes(options.alerts, frame, options, top);
  let y = top + laneBlock.height;
  const shown = panels.flatMap((panel) => {
    if (panel.id === 'certificates' && !options.certificates) return [];
    const lines = record.series.filter(
      (s) =>
        s.panel === panel.id &&
        s.points.some(([t, v]) => v !== null && t >= frame.startMs && t <= frame.endMs),
    );
    return lines.length === 0 ? [] : [{ ...panel, lines }];
  });
  const drawn = shown.map((panel) => {
    y += titleHeight;
    const legend = wide ? 'beside' : legendColumns;
    const part = panelSvg(panelOf(panel, options, wide, record.series), {
      frame,
      top: y,
      height: roomFor(panel.lines.length, wide),
      legend,
    });
    y += roomFor(panel.lines.length, wide);
    if (!wide) y += legendHeight(panel.lines.length, legendColumns);
    return part;
  });
  const bottom = y;
  const zero = options.zeroMs;
  return markup`<svg
viewBox="0 0 ${width} ${px(bottom + axisHeight)}" role="img" aria-label="${options.label}"
 class="figure ${options.width}" data-frame="${frameData(frame, zero)}">
${faultBands(options.faults, frame, top - 6, bottom)}
${bands(options, frame, bottom)}
${alertLines(options, frame, top, bottom)}
${laneBlock.html}${drawn}
${sinceAxis(frame, zeroMs, options.axisLabel, bottom)}</svg>`;
}

/** The height that the names beside the lines need. */
const roomFor = (lines: number, wide: boolean): number =>
  wide ? Math.max(height, 14 * lines) : height;

function faultBands(
  faults: readonly FaultRecord[],
  frame: Frame,
  top: number,
  bottom: number,
): Html[] {
  return faults
    .filter((f) => f.requestedMs < frame.endMs && (f.endedMs ?? frame.endMs) > frame.startMs)
    .map((f) => {
      const end = f.endedMs === undefined ? 'to the end' : `to ${clockText(f.endedMs)}`;
      const seen =
        f.confirmedMs === undefined
          ? 'never seen to work'
          : `seen to work ${clockText(f.confirmedMs)}`;
      const title = `${f.kind} on ${f.target}, put ${clockText(f.requestedMs)}, ${seen}, ${end}`;
      // The band is paler until the fault is confirmed: effects in that time belong to the fault, but nobody had seen
      // them yet.
      const endMs = f.endedMs ?? frame.endMs;
      const from = xOf(frame, f.requestedMs);
      const seenAt = xOf(frame, Math.min(f.confirmedMs ?? endMs, endMs));
      const to = xOf(frame, endMs);
      const edge = (x: number, name = ''): Html =>
        markup`<line class="${name}" x1="${px(x)}" x2="${px(x)}" y1="${px(top)}" y2="${px(bottom)}"/>`;
      const rect = (x: number, until: number, name: string): Html =>
        markup`<rect class="${name}" x="${px(x)}" y="${px(top)}" width="${px(Math.max(1, until - x))}"
 height="${px(bottom - top)}"/>`;
      return markup`<g class="fault"><title>${title}</title>${rect(from, seenAt, 'put')}
${to > seenAt && rect(seenAt, to, 'on')}${edge(from, 'put')}${edge(seenAt)}${edge(to)}</g>`;
    });
}

function bands(options: FigureOptions, frame: Frame, bottom: number): Html[] {
  return options.bands
    .filter((b) => b.startMs < frame.endMs && b.endMs > frame.startMs)
    .map((b) => {
      const from = xOf(frame, b.startMs);
      const to = xOf(frame, b.endMs);
      const room = Math.floor((to - from) / 6.4);
      const text = b.text.length > room ? `${b.text.slice(0, Math.max(0, room - 1))}…` : b.text;
      return markup`<g class="band"><title>${b.text}</title>
<line x1="${px(from)}" x2="${px(from)}" y1="4" y2="${px(bottom)}"/>
${room > 3 && markup`<text x="${px(from + 4)}" y="13">${text}</text>`}</g>`;
    });
}

const sameAlert = (a: AlertRecord, b: AlertRecord): boolean =>
  a.name === b.name && a.severity === b.severity && a.scenario === b.scenario;

/** Lines across all panels at the first notification of each alert. */
function alertLines(options: FigureOptions, frame: Frame, top: number, bottom: number): Html[] {
  return options.alerts
    .filter((a) => a.receivedAtMs >= frame.startMs && a.receivedAtMs <= frame.endMs)
    .filter((a) => options.markOf(a).kind !== 'allowed')
    .filter((a, i, all) => all.findIndex((b) => sameAlert(a, b)) === i)
    .map((a) => {
      const x = px(xOf(frame, a.receivedAtMs));
      return markup`<line class="received ${options.markOf(a).kind}" x1="${x}" x2="${x}"
 y1="${px(top)}" y2="${px(bottom)}"/>`;
    });
}

/** `checkout` of `checkout-availability`, `checkout.retail` and `checkout to payment`. */
const baseOf = (name: string): string => name.replace(/[-. ].*/, '');

/** A service has the same colour in every panel, and its second line in one panel has the next dash pattern. */
function kindsOf(lines: readonly SeriesRecord[], all: readonly SeriesRecord[]): number[] {
  const keys = [...new Set(all.map((s) => baseOf(s.name)))];
  const taken = new Set<number>();
  return lines.map(({ name }) => {
    let kind = Math.max(0, keys.indexOf(baseOf(name)));
    while (taken.has(kind) && taken.size < 36) kind = (kind + 6) % 36;
    taken.add(kind);
    return kind;
  });
}

function panelOf(
  panel: (typeof panels)[number] & { lines: SeriesRecord[] },
  { startMs, endMs, zeroMs }: FigureOptions,
  wide: boolean,
  all: readonly SeriesRecord[],
): Panel {
  const { id, lines, title, said } = panel;
  const values = lines.flatMap((l) =>
    l.points.flatMap(([t, v]) => (v === null || t < startMs || t > endMs ? [] : [v])),
  );
  const by = new Set(lines.map((l) => l.source));
  const source = by.size > 1 ? '' : by.has('client') ? ', as clients saw it' : ', by the proxies';
  const perSecond = lines.some((l) => l.unit === 'per second');
  const kinds = kindsOf(lines, all);
  return {
    title,
    note: `${perSecond ? 'a second' : panel.unit}${wide ? source : ''}`,
    lines: lines.map(({ name, points, source: measured }, i) => {
      return { name, points, kind: kinds[i] ?? i, steps: measured === 'client' };
    }),
    range: valueRange(
      id,
      values,
      id === 'certificates' ? before(lines, startMs, zeroMs) : undefined,
    ),
    textOf: (value) => tickText(value, id),
    said: perSecond ? { ...said, suffix: '/s' } : said,
    ...(id === 'burn' && { thresholds: burnThresholds(lines) }),
  };
}

/** At 1x the budget lasts its period; the other thresholds are the burn rates at which these SLOs' alerts fire. */
function burnThresholds(lines: readonly SeriesRecord[]): NonNullable<Panel['thresholds']> {
  const found = new Map([[1, 'the budget lasts its period']]);
  for (const { at, text } of lines.flatMap((l) => l.thresholds ?? [])) {
    const before = at === 1 ? found.get(at) : undefined;
    // Several SLOs may alert at the same rate.
    if (before?.endsWith(text)) continue;
    found.set(at, before === undefined ? text : `${before}; ${text}`);
  }
  return [...found].map(([at, text]) => ({ at, text: `${Number(at.toPrecision(3))}x: ${text}` }));
}

/**
 * Certificates issued after a drill may live a hundred times longer than those of the drill. The figure is about the
 * expiry, so its axis ends at the earlier lifetime.
 */
function before(
  lines: readonly SeriesRecord[],
  startMs: number,
  zeroMs: number,
): number | undefined {
  const lives = lines.flatMap((l) =>
    l.points.flatMap(([t, v]) => (v !== null && t >= startMs && t <= zeroMs + 1 ? [v] : [])),
  );
  return lives.length === 0 ? undefined : Math.max(...lives);
}

function tickText(value: number, panel: PanelName): string {
  const plain = Number(value.toPrecision(6));
  switch (panel) {
    case 'success':
      return `${Number((value * 100).toPrecision(4))}%`;
    case 'burn':
      return plain < 1 ? `${plain}x` : timesText(plain).replace(/\.0+x/, 'x');
    default:
      return plain >= 10_000 ? plain.toExponential(0) : String(plain);
  }
}
