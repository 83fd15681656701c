/** Plots the controller's growth: propagation and memory against connected proxies on a logarithmic axis. */
import type { ControllerRow } from './controller.js';

const width = 640;
const height = 280;
const left = 56;
const right = 56;
const top = 24;
const bottom = 40;

interface Series {
  name: string;
  colour: string;
  unit: string;
  of: (row: ControllerRow) => number;
}

/** How far above a point the larger value of a size stands, and below it the other: close points must be readable. */
const above = -8;
const below = 17;

const series: Series[] = [
  { name: 'p99 of propagation', colour: '#0b6e99', unit: 'ms', of: (r) => r.sharedP99Ms },
  { name: 'memory (RSS)', colour: '#b4531a', unit: 'MB', of: (r) => r.rssMb },
];

export function growthPlot(rows: readonly ControllerRow[]): string {
  const sizes = rows.map((r) => Math.log10(r.proxies));
  const low = Math.min(...sizes);
  const span = Math.max(...sizes) - low || 1;
  const x = (n: number): number => left + ((Math.log10(n) - low) / span) * (width - left - right);
  const max = Math.max(...series.flatMap((s) => rows.map(s.of))) * 1.1;
  const y = (v: number): number => height - bottom - (v / max) * (height - top - bottom);
  const parts: string[] = [];
  for (const r of rows) {
    parts.push(
      `<text x="${x(r.proxies)}" y="${height - 18}" text-anchor="middle">${r.proxies}</text>`,
    );
  }
  for (const s of series) {
    const points = rows.map((r) => `${x(r.proxies).toFixed(1)},${y(s.of(r)).toFixed(1)}`);
    parts.push(
      `<polyline points="${points.join(' ')}" fill="none" stroke="${s.colour}" stroke-width="2"/>`,
    );
    for (const r of rows) {
      const value = `${s.of(r).toFixed(0)} ${s.unit}`;
      parts.push(`<circle cx="${x(r.proxies)}" cy="${y(s.of(r))}" r="3" fill="${s.colour}"/>`);
      const shift = s.of(r) === Math.max(...series.map((other) => other.of(r))) ? above : below;
      parts.push(
        `<text x="${x(r.proxies)}" y="${y(s.of(r)) + shift}" text-anchor="middle" fill="${s.colour}">${value}</text>`,
      );
    }
  }
  const legend = series
    .map((s, i) => `<text x="${left + i * 180}" y="14" fill="${s.colour}">${s.name}</text>`)
    .join('');
  const font = 'font-family="sans-serif" font-size="11" fill="#444"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${font}>
<rect width="${width}" height="${height}" fill="#fff"/>
<line x1="${left}" y1="${height - bottom}" x2="${width - right}" y2="${height - bottom}" stroke="#999"/>
${legend}${parts.join('\n')}
<text x="${width / 2}" y="${height - 4}" text-anchor="middle">connected proxies</text>
</svg>
`;
}
