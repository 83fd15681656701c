/** Plots as SVG text, with nothing but what a browser has. */

export const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

export interface Line {
  name: string;
  colour: string;
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
  /** Behind the lines, over the whole height. */
  shades: readonly Band[];
  /** Rows of bars below the plot. */
  rows: readonly { name: string; bands: readonly Band[] }[];
  /** A dashed line. */
  limit?: { value: number; text: string };
  unit: string;
  /** Grows by tens: 0.1, 1, 10. */
  logarithmic: boolean;
}

const width = 1100;
const left = 74;
const right = 12;
const plotHeight = 200;
const rowHeight = 18;
const floor = 0.01;

const f1 = (x: number): string => x.toFixed(1);

export function timePlot(plot: TimePlot): string {
  const span = Math.max(1, plot.endMs - plot.startMs);
  const inner = width - left - right;
  const x = (ms: number): number =>
    left + (Math.min(span, Math.max(0, ms - plot.startMs)) / span) * inner;
  const values = plot.lines.flatMap((l) => l.values).filter((v) => v !== null);
  const high =
    Math.max(plot.limit?.value ?? 0, ...values, floor * 10) * (plot.logarithmic ? 1.5 : 1.08);
  const scale = (v: number): number =>
    plot.logarithmic ? Math.log10(Math.max(v, floor) / floor) / Math.log10(high / floor) : v / high;
  const y = (v: number): number => 8 + (1 - scale(v)) * plotHeight;
  const height = plotHeight + 34 + plot.rows.length * rowHeight;
  const parts: string[] = [];
  for (const shade of plot.shades) parts.push(bandSvg(shade, x, 8, plotHeight));
  for (const tick of ticks(high, plot.logarithmic)) {
    const at = f1(y(tick));
    parts.push(
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`,
      `<text x="${left - 6}" y="${f1(y(tick) + 4)}" text-anchor="end">${tick}${plot.unit}</text>`,
    );
  }
  if (plot.limit) {
    const at = f1(y(plot.limit.value));
    parts.push(
      `<line class="limit" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`,
      `<text x="${width - right}" y="${f1(y(plot.limit.value) - 4)}" text-anchor="end">` +
        `${escapeHtml(plot.limit.text)}</text>`,
    );
  }
  for (const line of plot.lines) {
    parts.push(`<path d="${pathOf(line.values, inner, y)}" stroke="${line.colour}"/>`);
  }
  plot.rows.forEach((row, i) => {
    const top = plotHeight + 16 + i * rowHeight;
    parts.push(
      `<text x="${left - 6}" y="${top + 11}" text-anchor="end">${escapeHtml(row.name)}</text>`,
    );
    for (const band of row.bands) parts.push(bandSvg(band, x, top, rowHeight - 4));
  });
  parts.push(...timeAxis(plot.startMs, plot.endMs, x, height - 4));
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(plot.title)}">` +
    `${parts.join('')}</svg>`
  );
}

function bandSvg(band: Band, x: (ms: number) => number, top: number, height: number): string {
  const from = x(band.from);
  const wide = Math.max(1.5, x(band.to) - from);
  return (
    `<rect x="${f1(from)}" y="${f1(top)}" width="${f1(wide)}" height="${f1(height)}" ` +
    `fill="${band.colour}"><title>${escapeHtml(band.title)}</title></rect>`
  );
}

function pathOf(
  values: readonly (number | null)[],
  inner: number,
  y: (v: number) => number,
): string {
  let path = '';
  let drawing = false;
  values.forEach((value, i) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const at = left + (i / Math.max(1, values.length - 1)) * inner;
    path += `${drawing ? 'L' : 'M'}${f1(at)} ${f1(y(value))}`;
    drawing = true;
  });
  return path;
}

function ticks(high: number, logarithmic: boolean): number[] {
  if (logarithmic) return [0.1, 1, 10, 100, 1000].filter((t) => t <= high);
  const rough = high / 4;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((m) => m * size >= rough) ?? 10) * size;
  const found: number[] = [];
  for (let t = 0; t <= high; t += step) found.push(Number(t.toPrecision(6)));
  return found;
}

function timeAxis(startMs: number, endMs: number, x: (ms: number) => number, y: number): string[] {
  const days = (endMs - startMs) / 86_400_000;
  const step = days > 14 ? 7 : days > 3 ? 1 : days / 6;
  const texts: string[] = [];
  for (let day = 0; day <= days; day += step) {
    const ms = startMs + day * 86_400_000;
    const text = new Date(ms).toISOString();
    const label = days > 3 ? text.slice(5, 10) : text.slice(11, 16);
    texts.push(`<text x="${f1(x(ms))}" y="${y}" text-anchor="middle">${label}</text>`);
  }
  return texts;
}

export interface ScatterPoint {
  x: number;
  y: number;
  colour: string;
  radius: number;
  title: string;
}

/** Points over two axes, both from zero. */
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
  const x = (v: number): number => left + (v / high.x) * (width - left - right);
  const y = (v: number): number => 8 + (1 - v / high.y) * tall;
  const parts: string[] = [];
  for (const tick of ticks(high.y, false)) {
    const at = f1(y(tick));
    parts.push(
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`,
      `<text x="${left - 6}" y="${f1(y(tick) + 4)}" text-anchor="end">${tick}</text>`,
    );
  }
  for (const tick of ticks(high.x, false)) {
    parts.push(`<text x="${f1(x(tick))}" y="${tall + 24}" text-anchor="middle">${tick}</text>`);
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
    `<svg viewBox="0 0 ${width} ${tall + 50}" role="img" aria-label="${label}">` +
    `${parts.join('')}</svg>`
  );
}
