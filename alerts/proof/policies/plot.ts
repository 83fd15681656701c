/** Plots policies as points: detection time against false pages. */
import { escapeHtml } from '../../../base/drawing/escape.js';
import { roughly } from '../../../slo/rules/explain.js';
import type { Comparison } from './table.js';

const width = 760;
const height = 430;
const left = 70;
const right = 24;
const top = 46;
const bottom = 58;

const lowest = 0.05;
const rateTicks = [0.1, 1, 10, 100, 1000];
const minuteMs = 60_000;
const timeTicks = [1, 2, 5, 10, 20, 60].map((m) => m * minuteMs);

const f1 = (x: number): string => x.toFixed(1);

export function policyPlot(comparison: Comparison): string {
  const shown = comparison.rows.filter((r) => r.detectMedianMs !== undefined);
  const times = shown.map((r) => r.detectMedianMs as number);
  const wald = waldOf(comparison);
  const [fast, slow] = [Math.min(wald, ...times) / 1.3, Math.max(...times) * 1.3];
  const most = Math.max(10, ...shown.map((r) => r.falsePagesPerYear)) * 3;
  const share = (v: number, from: number, to: number): number =>
    Math.log(v / from) / Math.log(to / from);
  const x = (rate: number): number =>
    left + share(Math.max(rate, lowest), lowest, most) * (width - left - right);
  const y = (ms: number): number =>
    height - bottom - share(ms, fast, slow) * (height - top - bottom);
  const parts = [
    ...rateTicks
      .filter((t) => t < most)
      .map(
        (t) =>
          `<line x1="${f1(x(t))}" x2="${f1(x(t))}" y1="${top}" y2="${height - bottom}" stroke="#e4e4e4"/>` +
          `<text x="${f1(x(t))}" y="${height - bottom + 16}" text-anchor="middle">${t}</text>`,
      ),
    `<text x="${left}" y="${height - bottom + 16}" text-anchor="middle">0</text>`,
    ...timeTicks
      .filter((t) => t > fast && t < slow)
      .map(
        (t) =>
          `<line x1="${left}" x2="${width - right}" y1="${f1(y(t))}" y2="${f1(y(t))}" stroke="#e4e4e4"/>` +
          `<text x="${left - 8}" y="${f1(y(t) + 4)}" text-anchor="end">${t / minuteMs} min</text>`,
      ),
    `<line x1="${left}" x2="${width - right}" y1="${f1(y(wald))}" y2="${f1(y(wald))}" ` +
      `stroke="#888" stroke-dasharray="5 4"/>`,
    `<text x="${width - right}" y="${f1(y(wald) - 5)}" text-anchor="end">Wald's bound, ${roughly(wald)}</text>`,
  ];
  let above = 0;
  const labels = [...shown].sort(
    (a, b) => (a.detectMedianMs as number) - (b.detectMedianMs as number),
  );
  for (const row of labels) {
    const [cx, cy] = [x(row.falsePagesPerYear), y(row.detectMedianMs as number)];
    const colour = row.policy.startsWith('ours') ? '#0b6e99' : '#b4531a';
    const towards = cx > width * 0.62 ? 'end' : 'start';
    const dx = towards === 'end' ? -9 : 9;
    const dy = above++ % 2 === 0 ? 14 : -6;
    parts.push(
      `<circle cx="${f1(cx)}" cy="${f1(cy)}" r="5" fill="${colour}"/>`,
      `<text x="${f1(cx + dx)}" y="${f1(cy + dy)}" fill="${colour}" text-anchor="${towards}">` +
        `${escapeHtml(row.name)}</text>`,
    );
  }
  const title = `Until a page, and pages for nothing, over ${comparison.stories} stories`;
  const upright = `transform="rotate(-90 16 ${height / 2})"`;
  const font = 'font-family="sans-serif" font-size="12" fill="#444"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${font}>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="20" font-size="14" fill="#222">${title}</text>
${parts.join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 14}" text-anchor="middle">pages for nothing, a year</text>
<text x="16" y="${height / 2}" text-anchor="middle" ${upright}>median until the page</text>
</svg>
`;
}

/** The median of Wald's bound over the stories that deserve a page. */
function waldOf({ waldMedianMs }: Comparison): number {
  return Math.max(1000, waldMedianMs ?? 1000);
}
