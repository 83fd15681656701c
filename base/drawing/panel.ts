/**
 * One panel of a figure: lines over time, a value axis with round numbers, named thresholds, and a legend that shows
 * each line as it is drawn. Attributes hold the values for hover.ts.
 */
import { linearScale, logScale, type Range, type Scale } from '../axis.js';
import { endOf, type Frame, shortened, xOf } from './frame.js';
import { type Html, markup, px } from './html.js';
import { lineClass } from './lines.js';
import { type Point, pointsWithin, spread } from './points.js';

export interface PanelLine {
  name: string;
  /** Index of the colour and dash: see lineClass. */
  kind: number;
  points: readonly Point[];
  /** Whether a value holds until the next one, so that no slope suggests values before they were measured. */
  steps?: boolean;
}

export interface Panel {
  title: string;
  /** Text beside the title: `ms, as clients saw it`. */
  note?: string;
  lines: readonly PanelLine[];
  range: Range;
  textOf(value: number): string;
  thresholds?: readonly { at: number; text: string }[];
  /** Format of values under the pointer: multiplied by `factor`, then `suffix`. */
  said: { factor: number; suffix: string };
}

/**
 * Position of a panel in its figure. The legend is beside the lines or below them in so many columns; with `none`, the
 * page shows title and legend itself.
 */
export interface PanelPlace {
  frame: Frame;
  top: number;
  height: number;
  legend: 'beside' | 'none' | number;
}

const gap = 14;
const legendRow = 16;
const nameLength = 20;

/** Height of the legend below the panel. */
export const legendHeight = (lines: number, columns: number): number =>
  legendRow * Math.ceil(lines / columns);

export function panelSvg(panel: Panel, place: PanelPlace): Html {
  const { frame, top, height } = place;
  const { range, textOf } = panel;
  const y = yScale(range, top, height);
  const columns = frame.width - frame.left - frame.right;
  const cut = panel.lines.map((l) => pointsWithin(l.points, frame.startMs, frame.endMs, columns));
  const across = (value: number, name: string): Html =>
    markup`<line class="${name}" x1="${frame.left}" x2="${px(endOf(frame))}"
 y1="${px(y(value))}" y2="${px(y(value))}"/>`;
  const grid = range.ticks.map(
    (tick) => markup`${across(tick, 'grid')}<text class="tick" x="${frame.left - 6}"
 y="${px(y(tick) + 4)}" text-anchor="end">${textOf(tick)}</text>`,
  );
  const paths = panel.lines.map((line, i) => pathSvg(line, cut[i] ?? [], frame, y));
  return markup`<g class="panel" data-top="${px(top)}" data-bottom="${px(top + height)}"
 data-title="${panel.title}" data-factor="${panel.said.factor}" data-suffix="${panel.said.suffix}">
${place.legend !== 'none' && heading(panel, top)}
${grid}${paths}${thresholdsSvg(panel, frame, y, across, [top, top + height])}
${legendSvg(panel, cut, place, y)}</g>`;
}

const heading = ({ title, note }: Panel, top: number): Html =>
  markup`<text class="title" x="0" y="${px(top - 13)}">${title}<tspan class="unit" dx="6">${note}</tspan></text>`;

function legendSvg(
  panel: Panel,
  cut: readonly (readonly Point[])[],
  place: PanelPlace,
  y: Scale,
): Html[] {
  const { legend } = place;
  if (legend === 'none') return [];
  return legend === 'beside' ? namesBeside(panel, cut, place, y) : namesBelow(panel, place, legend);
}

const yScale = ({ min, max, log }: Range, top: number, height: number): Scale =>
  (log ? logScale : linearScale)([min, max], [top + height, top]);

function pathSvg(line: PanelLine, points: readonly Point[], frame: Frame, y: Scale): Html {
  let text = '';
  let drawing = false;
  const values: number[] = [];
  for (const [t, v] of points) {
    if (v === null || !Number.isFinite(v)) {
      drawing = false;
      continue;
    }
    const [at, to] = [px(xOf(frame, t)), px(y(v))];
    text += !drawing ? `M${at} ${to}` : line.steps ? `H${at}V${to}` : `L${at} ${to}`;
    values.push(Number(v.toPrecision(5)));
    drawing = true;
  }
  return markup`<path class="line ${lineClass(line.kind)}" d="${text}" data-values="${values.join(' ')}">
<title>${line.name}</title></path>`;
}

function thresholdsSvg(
  { thresholds = [], range }: Panel,
  frame: Frame,
  y: Scale,
  across: (value: number, name: string) => Html,
  [top, bottom]: readonly [number, number],
): Html[] {
  const shown = thresholds.filter(({ at }) => at >= range.min && at <= range.max);
  const places = spread(
    shown.map(({ at }) => y(at) - 3),
    12,
    top + 8,
    bottom - 2,
  );
  return shown.map(
    ({ at, text }, i) => markup`${across(at, 'threshold')}<text class="threshold-name"
 x="${px(frame.left + 4)}" y="${px(places[i] ?? top)}">${text}</text>`,
  );
}

const key = (line: PanelLine, x: number, y: number): Html =>
  markup`<path class="line ${lineClass(line.kind)}" d="M${px(x)} ${px(y)}h18"/>`;

/** Puts each name beside the end of its line. */
function namesBeside(
  { lines }: Panel,
  cut: readonly (readonly Point[])[],
  { frame, top, height }: PanelPlace,
  y: Scale,
): Html[] {
  const ends = cut.map((points) => points.findLast(([, v]) => v !== null)?.[1] ?? 0);
  const places = spread(
    ends.map(y),
    gap,
    top + 4,
    Math.max(top + height, top + gap * lines.length),
  );
  const x = endOf(frame) + 8;
  return lines.map((line, i) => {
    const at = places[i] ?? top;
    return markup`${key(line, x, at)}<text class="name" x="${px(x + 23)}" y="${px(at + 4)}">
${shortened(line.name, nameLength)}<title>${line.name}</title></text>`;
  });
}

/** Puts the names below the panel, where there is no room beside the lines. */
function namesBelow({ lines }: Panel, { frame, top, height }: PanelPlace, columns: number): Html[] {
  const each = (frame.width - frame.left) / columns;
  const room = Math.floor((each - 30) / 6.6);
  return lines.map((line, i) => {
    const x = frame.left + (i % columns) * each;
    const y = top + height + 10 + legendRow * Math.floor(i / columns);
    return markup`${key(line, x, y)}<text class="name" x="${px(x + 23)}" y="${px(y + 4)}">
${shortened(line.name, room)}<title>${line.name}</title></text>`;
  });
}
