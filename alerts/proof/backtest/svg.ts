/** Plots of a backtest as SVG, without external resources. */
import { linearScale, linearTicks, logRange, roundRange } from '../../../base/axis.js';
import { escapeHtml } from '../../../base/drawing/escape.js';
import { type Frame, xOf } from '../../../base/drawing/frame.js';
import { frameData } from '../../../base/drawing/hover.js';
import { type Html, markup, px } from '../../../base/drawing/html.js';
import { panelSvg } from '../../../base/drawing/panel.js';
import { axisHeight, clockAxis } from '../../../base/drawing/time-axis.js';

export interface Line {
  name: string;
  /** Values at equal distances over the whole time. */
  values: readonly (number | null)[];
}

export interface Band {
  from: number;
  to: number;
  colour: string;
  title: string;
}

export interface TimePlot {
  title: string;
  startMs: number;
  endMs: number;
  lines: readonly Line[];
  /** Bands behind the lines, over the whole height. */
  shades: readonly Band[];
  /** Rows of bars below the plot. */
  rows: readonly { name: string; bands: readonly Band[] }[];
  /** Value and text of a dashed line. */
  limit?: { value: number; text: string };
  unit: string;
  /** Whether the axis is logarithmic: 0.1, 1, 10. */
  logarithmic: boolean;
}

const width = 1100;
const left = 74;
const right = 12;
const top = 8;
const plotHeight = 200;
const rowHeight = 18;
const floor = 0.01;

const f1 = (x: number): string => x.toFixed(1);

export function timePlot(plot: TimePlot): string {
  const { startMs, endMs, limit, unit, title } = plot;
  const frame: Frame = { startMs, endMs, width, left, right };
  const values = plot.lines.flatMap((l) => l.values).filter((v) => v !== null);
  const most = values.reduce((a, b) => Math.max(a, b), (limit?.value ?? 0) * 1.2);
  const drawn = panelSvg(
    {
      title,
      lines: plot.lines.map(({ name, values: own }, kind) => {
        const step = (endMs - startMs) / Math.max(1, own.length - 1);
        return { name, kind, points: own.map((v, i) => [startMs + i * step, v] as const) };
      }),
      range: plot.logarithmic ? logRange(floor, most) : roundRange(0, most, 4),
      textOf: (tick) => `${Number(tick.toPrecision(6))}${unit}`,
      thresholds: limit ? [{ at: limit.value, text: limit.text }] : [],
      said: { factor: 1, suffix: unit },
    },
    { frame, top, height: plotHeight, legend: 'none' },
  );
  const bottom = top + plotHeight + plot.rows.length * rowHeight;
  return markup`<div class="with-figure"><svg class="figure" viewBox="0 0 ${width} ${bottom + axisHeight}" role="img"
 aria-label="${title}" data-frame="${frameData(frame)}">
${plot.shades.map((shade) => bandSvg(shade, frame, top, plotHeight))}${drawn}
${plot.rows.map((row, i) => rowSvg(row, frame, top + plotHeight + 6 + i * rowHeight))}
${clockAxis(frame, bottom)}</svg></div>`.text;
}

const rowSvg = ({ name, bands }: TimePlot['rows'][number], frame: Frame, y: number): Html =>
  markup`<text class="tick" x="${left - 6}" y="${px(y + 11)}" text-anchor="end">${name}</text>
${bands.map((band) => bandSvg(band, frame, y, rowHeight - 4))}`;

function bandSvg({ from, to, colour, title }: Band, frame: Frame, y: number, height: number): Html {
  const x = xOf(frame, from);
  return markup`<rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(1.5, xOf(frame, to) - x))}"
 height="${px(height)}" fill="${colour}"><title>${title}</title></rect>`;
}

export interface ScatterPoint {
  x: number;
  y: number;
  colour: string;
  radius: number;
  title: string;
}

/** Points over two axes that both start at zero. */
export function scatterPlot(
  title: string,
  axes: { x: string; y: string },
  points: readonly ScatterPoint[],
): string {
  const high = {
    x: Math.max(1, ...points.map((p) => p.x)) * 1.05,
    y: Math.max(1, ...points.map((p) => p.y)) * 1.1,
  };
  const tall = 300;
  const x = linearScale([0, high.x], [left, width - right]);
  const y = linearScale([0, high.y], [top + tall, top]);
  const parts: string[] = [];
  for (const tick of linearTicks(0, high.y, 4)) {
    const at = f1(y(tick));
    parts.push(
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`,
      `<text class="tick" x="${left - 6}" y="${f1(y(tick) + 4)}" text-anchor="end">${tick}</text>`,
    );
  }
  for (const tick of linearTicks(0, high.x, 8)) {
    parts.push(
      `<text class="tick" x="${f1(x(tick))}" y="${tall + 24}" text-anchor="middle">${tick}</text>`,
    );
  }
  for (const p of points) {
    parts.push(
      `<circle cx="${f1(x(p.x))}" cy="${f1(y(p.y))}" r="${p.radius}" fill="${p.colour}">` +
        `<title>${escapeHtml(p.title)}</title></circle>`,
    );
  }
  parts.push(
    `<text x="${width / 2}" y="${tall + 42}" text-anchor="middle">${escapeHtml(axes.x)}</text>`,
    `<text x="14" y="${tall / 2}" text-anchor="middle" transform="rotate(-90 14 ${tall / 2})">` +
      `${escapeHtml(axes.y)}</text>`,
  );
  const label = escapeHtml(title);
  return (
    `<svg class="figure" viewBox="0 0 ${width} ${tall + 50}" role="img" aria-label="${label}">` +
    `${parts.join('')}</svg>`
  );
}
