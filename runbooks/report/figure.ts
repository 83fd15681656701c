/** A figure: alerts above, one small panel a measure below, all on one time axis, the faults' times through all. */
import { clockText, timesText } from '../words.js';
import type { AlertRecord, FaultRecord, GameDayRecord, SeriesRecord } from '../record.js';
import { pointsWithin, type Scale, scaleOver, spread, valueScale } from './axes.js';
import { type Frame, shortened, xOf } from './frame.js';
import { type Html, markup, px } from './html.js';
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
  /** Deadline and the like of an alert's lane. */
  markOf: (alert: AlertRecord) => Mark;
  allowedMax: number;
  /** Certificates are only worth a panel where they run out. */
  certificates: boolean;
  label: string;
}

const panels: { id: SeriesRecord['panel']; title: string; unit: string }[] = [
  { id: 'success', title: 'Success rate', unit: 'of requests' },
  { id: 'latency', title: 'Latency p95', unit: 'ms' },
  { id: 'retries', title: 'Retries', unit: 'for each request' },
  { id: 'burn', title: 'Burn rate', unit: 'times what the objective allows' },
  { id: 'certificates', title: 'Certificate life left', unit: 's' },
];

const height = 84;
const titleHeight = 36;

export function figure(record: GameDayRecord, options: FigureOptions): Html {
  const wide = options.width === 'wide';
  const width = wide ? 960 : 360;
  const frame: Frame = { ...options, width, left: wide ? 52 : 42, right: wide ? 150 : 14 };
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
    const part = panelHtml(panel, frame, y, wide, record.series);
    y += height + (wide ? 0 : 16 * Math.ceil(panel.lines.length / 2));
    return part;
  });
  const bottom = y;
  return markup`<svg
viewBox="0 0 ${width} ${px(bottom + 40)}" role="img" aria-label="${options.label}" class="${options.width}">
${faultBands(options.faults, frame, top - 6, bottom)}
${bands(options, frame, bottom)}
${alertLines(options, frame, top, bottom)}
${laneBlock.html}${drawn}
${timeAxis(frame, bottom, wide)}</svg>`;
}

function faultBands(
  faults: readonly FaultRecord[],
  frame: Frame,
  top: number,
  bottom: number,
): Html[] {
  return faults
    .filter((f) => f.requestedMs < frame.endMs && (f.endedMs ?? frame.endMs) > frame.startMs)
    .map((f) => {
      // From when it was put: what it did until its effect was confirmed is its doing, too.
      const from = xOf(frame, f.requestedMs);
      const to = xOf(frame, f.endedMs ?? frame.endMs);
      const end = f.endedMs === undefined ? 'to the end' : `to ${clockText(f.endedMs)}`;
      const title = `${f.kind} on ${f.target}, ${clockText(f.requestedMs)} ${end}`;
      return markup`<g class="fault"><title>${title}</title>
<rect x="${px(from)}" y="${px(top)}" width="${px(Math.max(1, to - from))}" height="${px(bottom - top)}"/>
<line x1="${px(from)}" x2="${px(from)}" y1="${px(top)}" y2="${px(bottom)}"/>
<line x1="${px(to)}" x2="${px(to)}" y1="${px(top)}" y2="${px(bottom)}"/></g>`;
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

/** Where the first of each alert reached somebody, through all panels. */
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

interface PanelLines {
  id: SeriesRecord['panel'];
  title: string;
  unit: string;
  lines: SeriesRecord[];
}

const clamped = (v: number, scale: Scale): number => Math.max(scale.min, Math.min(v, scale.max));

/** `checkout` of `checkout-availability`, `checkout.retail` and `checkout to payment`. */
const baseOf = (name: string): string => name.replace(/[-. ].*/, '');

/** The second line of a colour in a panel is dashed. */
function dashOf(lines: readonly SeriesRecord[], i: number): string {
  const base = baseOf(lines[i]?.name ?? '');
  const before = lines.slice(0, i).filter((l) => baseOf(l.name) === base).length;
  return ['', ' dashed', ' dotted'][Math.min(before, 2)] ?? '';
}

/** Colours go with names, so that a service has the same in every panel. */
function colourOf(name: string, all: readonly SeriesRecord[]): number {
  const keys = [...new Set(all.map((s) => baseOf(s.name)))];
  return Math.max(0, keys.indexOf(baseOf(name))) % 8;
}

function panelHtml(
  panel: PanelLines,
  frame: Frame,
  top: number,
  wide: boolean,
  all: readonly SeriesRecord[],
): Html {
  const columns = frame.width - frame.left - frame.right;
  const cut = panel.lines.map((l) => pointsWithin(l.points, frame.startMs, frame.endMs, columns));
  const values = cut.flatMap((points) => points.flatMap(([, v]) => (v === null ? [] : [v])));
  const scale = valueScale(panel.id, values, ceiling(panel, frame));
  const y = (v: number): number =>
    top + (1 - (clamped(v, scale) - scale.min) / (scale.max - scale.min)) * height;
  const grid = scale.ticks.map(
    (tick) => markup`<line class="grid" x1="${frame.left}" x2="${frame.width - frame.right}"
 y1="${px(y(tick))}" y2="${px(y(tick))}"/>
<text class="tick" x="${frame.left - 6}" y="${px(y(tick) + 4)}" text-anchor="end">${tickText(tick, panel.id)}
</text>`,
  );
  const paths = panel.lines.map(
    (line, i) =>
      markup`<path class="line c${colourOf(line.name, all)}${dashOf(panel.lines, i)}"
 d="${pathOf(cut[i] ?? [], frame, y)}"><title>
${line.name}</title></path>`,
  );
  const by = new Set(panel.lines.map((l) => l.source));
  const source = by.size > 1 ? '' : by.has('client') ? ', as clients saw it' : ', by the proxies';
  const unit = panel.lines.some((l) => l.unit === 'per second') ? 'a second' : panel.unit;
  return markup`<g><text class="title" x="0" y="${top - 13}">${panel.title}<tspan class="unit" dx="6">
${unit}${wide ? source : ''}</tspan></text>
${grid}${paths}${wide ? endLabels(panel, cut, frame, y, top, all) : keyBelow(panel, frame, top, all)}</g>`;
}

/**
 * Certificates that were made after a drill may live a hundred times longer than those of the drill: what counts is
 * how they ran out, so that the axis ends with the life they had before.
 */
function ceiling(panel: PanelLines, frame: Frame): number | undefined {
  if (panel.id !== 'certificates') return undefined;
  const before = panel.lines.flatMap((l) =>
    l.points.flatMap(([t, v]) =>
      v !== null && t >= frame.startMs && t <= frame.zeroMs + 1 ? [v] : [],
    ),
  );
  return before.length === 0 ? undefined : Math.max(...before);
}

function pathOf(
  points: readonly (readonly [number, number | null])[],
  frame: Frame,
  y: (v: number) => number,
): string {
  let text = '';
  let drawing = false;
  for (const [t, v] of points) {
    if (v === null || !Number.isFinite(v)) {
      drawing = false;
      continue;
    }
    text += `${drawing ? 'L' : 'M'}${px(xOf(frame, t))} ${px(y(v))}`;
    drawing = true;
  }
  return text;
}

function endLabels(
  panel: PanelLines,
  cut: readonly (readonly (readonly [number, number | null])[])[],
  frame: Frame,
  y: (v: number) => number,
  top: number,
  all: readonly SeriesRecord[],
): Html[] {
  const ends = cut.map((points) => points.findLast(([, v]) => v !== null)?.[1] ?? 0);
  const places = spread(ends.map(y), 14, top + 4, top + height);
  return panel.lines.map(
    (line, i) =>
      markup`<text class="name c${colourOf(line.name, all)}" x="${frame.width - frame.right + 8}"
y="${px((places[i] ?? top) + 4)}">${shortened(line.name, 22)}</text>`,
  );
}

/** Where there is no room beside the lines. */
function keyBelow(
  panel: PanelLines,
  frame: Frame,
  top: number,
  all: readonly SeriesRecord[],
): Html[] {
  const half = (frame.width - frame.left) / 2;
  return panel.lines.map((line, i) => {
    const x = frame.left + (i % 2) * half;
    const y = top + height + 13 + 16 * Math.floor(i / 2);
    return markup`<g class="c${colourOf(line.name, all)}"><rect class="key" x="${px(x)}" y="${px(y - 8)}"
width="10" height="3"/>
<text class="name c${colourOf(line.name, all)}" x="${px(x + 14)}" y="${px(y - 3)}">${shortened(line.name, 22)}
</text></g>`;
  });
}

function tickText(value: number, panel: SeriesRecord['panel']): string {
  const plain = Number(value.toPrecision(6));
  switch (panel) {
    case 'success':
      return `${Number((value * 100).toPrecision(4))}%`;
    case 'burn':
      return plain === 0 ? '0' : timesText(plain).replace(/\.0+x/, 'x');
    default:
      return plain >= 10_000 ? plain.toExponential(0) : String(plain);
  }
}

function timeAxis(frame: Frame, bottom: number, wide: boolean): Html {
  const from = (frame.startMs - frame.zeroMs) / 1000;
  const to = (frame.endMs - frame.zeroMs) / 1000;
  const minutes = to - from > 300;
  const unit = minutes ? 60 : 1;
  const ticks = scaleOver(from / unit, to / unit, wide ? 10 : 5).ticks.filter(
    (t) => t >= from / unit && t <= to / unit,
  );
  return markup`<g>
<line class="axis" x1="${frame.left}" x2="${frame.width - frame.right}"
 y1="${px(bottom + 4)}" y2="${px(bottom + 4)}"/>
${ticks.map((t) => {
  const x = px(xOf(frame, frame.zeroMs + t * unit * 1000));
  return markup`<line class="axis" x1="${x}" x2="${x}" y1="${px(bottom + 4)}" y2="${px(bottom + 8)}"/>
<text class="tick" x="${x}" y="${px(bottom + 20)}" text-anchor="middle">${Number(t.toPrecision(6))}</text>`;
})}
<text class="unit" x="${frame.left}" y="${px(bottom + 36)}">
${minutes ? 'minutes' : 'seconds'} ${frame.axisLabel}</text></g>`;
}
