/** Draws a series as a line of text, and as a small figure with its threshold. */
import { type Html, markup, px } from '../../../base/drawing/html.js';
import { clockOn } from '../../words.js';
import type { Incident, RuleGraph } from './model.js';

const bars = '▁▂▃▄▅▆▇█';
const barsWide = 40;

/** The highest value of each fortieth of the time; a gap is a space. */
export function sparkline(points: readonly [number, number][]): string {
  const first = points[0]?.[0] ?? 0;
  const last = points.at(-1)?.[0] ?? 0;
  const slots: (number | undefined)[] = Array.from({ length: barsWide });
  for (const [atMs, value] of points) {
    const slot = Math.min(
      barsWide - 1,
      Math.floor(((atMs - first) / Math.max(1, last - first)) * barsWide),
    );
    slots[slot] = Math.max(slots[slot] ?? value, value);
  }
  const values = points.map(([, value]) => value);
  const least = Math.min(...values);
  const span = Math.max(...values) - least;
  return slots
    .map((value) => {
      if (value === undefined) return ' ';
      const share = span === 0 ? 0 : (value - least) / span;
      return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))] as string;
    })
    .join('');
}

const width = 720;
const height = 120;
const margin = 8;

export function figureOf(graph: RuleGraph, { fromMs, toMs }: Incident): Html {
  const { points, threshold, op = '' } = graph;
  const values = [
    ...points.map(([, value]) => value),
    ...(threshold === undefined ? [] : [threshold]),
  ];
  const [least, most] = [Math.min(0, ...values), Math.max(...values)];
  const x = (ms: number): string =>
    px(margin + ((ms - fromMs) / Math.max(1, toMs - fromMs)) * (width - 2 * margin));
  const y = (value: number): string =>
    px(height - margin - ((value - least) / Math.max(1e-12, most - least)) * (height - 2 * margin));
  const line = points.map(([ms, value]) => `${x(ms)},${y(value)}`).join(' ');
  const bound =
    threshold !== undefined &&
    markup`<line x1="${margin}" x2="${width - margin}" y1="${y(threshold)}" y2="${y(threshold)}"
      stroke="currentColor" stroke-dasharray="4 4" opacity="0.6"/>`;
  const caption = `${graph.alert}: ${graph.expr}${threshold === undefined ? '' : ` ${op} ${threshold}`}`;
  return markup`<figure><figcaption>${caption}</figcaption>
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${caption}" style="width:100%;height:auto">
    ${bound}<polyline points="${line}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>
    <p>${clockOn(fromMs, fromMs)} to ${clockOn(toMs, fromMs)} UTC; dashed: where it fires</p></figure>`;
}
