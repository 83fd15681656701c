/** Lines that all readers can distinguish, and a panel that shows its input. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logRange, roundRange } from '../../base/axis.js';
import { darkLines, lightLines, lineClass } from '../../base/drawing/lines.js';
import { panelSvg } from '../../base/drawing/panel.js';
import { style } from '../../runbooks/report/style.js';

type Triple = [number, number, number];

/** Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const sights: Record<string, [Triple, Triple, Triple]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const linear = (hex: string): Triple =>
  [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as Triple;

const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** CIELAB of D65. */
function lab(rgb: Triple): Triple {
  const own = rgb.map((c) => Math.max(0, Math.min(1, c))) as Triple;
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f(dot([0.4124, 0.3576, 0.1805], own) / 0.95047);
  const y = f(dot([0.2126, 0.7152, 0.0722], own));
  const z = f(dot([0.0193, 0.1192, 0.9505], own) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const apart = (a: Triple, b: Triple): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const luminance = (hex: string): number => dot([0.2126, 0.7152, 0.0722], linear(hex));
const contrast = (a: string, b: string): number => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
};

test.each([
  ['light', lightLines],
  ['dark', darkLines],
])('colours of lines differ to every kind of sight, and from their card: %s', (scheme, colours) => {
  const cards = [...style.matchAll(/--card:(#[0-9a-f]{3,6})/g)].map((m) => m[1] as string);
  const card = (scheme === 'light' ? cards[0] : cards[1])?.replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3');
  for (const [i, a] of colours.entries()) {
    expect([a, contrast(a, card as string) >= 3]).toEqual([a, true]);
    for (const b of colours.slice(i + 1)) {
      for (const [sight, rows] of Object.entries(sights)) {
        const seen = (hex: string): Triple => lab(rows.map((r) => dot(r, linear(hex))) as Triple);
        expect([sight, a, b, apart(seen(a), seen(b)) >= 30]).toEqual([sight, a, b, true]);
      }
    }
  }
});

test('thirty-six lines differ in colour or dash, and the first six in both', () => {
  const all = Array.from({ length: 36 }, (_, i) => lineClass(i));
  expect(new Set(all).size).toBe(36);
  for (const part of [0, 1]) {
    expect(new Set(all.slice(0, 6).map((name) => name.split(' ')[part])).size).toBe(6);
  }
});

const frame = { startMs: 0, endMs: 1000, width: 300, left: 40, right: 20 };
const draw = (points: readonly (readonly [number, number | null])[], steps: boolean): string =>
  panelSvg(
    {
      title: 'T',
      note: '<b>',
      lines: [{ name: '"><script>', kind: 0, points, steps }],
      range: logRange(0.1, 50),
      textOf: (v) => `${v}x`,
      thresholds: [
        { at: 1, text: '1x: lasts' },
        { at: 1e9, text: 'out of sight' },
      ],
      said: { factor: 1, suffix: 'x' },
    },
    { frame, top: 20, height: 80, legend: 'beside' },
  ).text;

test('a panel: round ticks of a log axis, thresholds within it with their names, texts as texts', () => {
  const html = draw([[0, 3]], false);
  for (const tick of ['0.1x', '1x', '10x', '100x']) expect(html).toContain(`>${tick}</text>`);
  expect(html).toContain('>1x: lasts</text>');
  expect(html).not.toContain('out of sight');
  expect(html).not.toMatch(/<script|<b>/);
  expect([logRange(0.1, NaN).max, roundRange(0, 731.2, 3).max]).toEqual([10, 1000]);
});

test('a pointer can read every point: as many values as the path has places, gaps or not', () => {
  const value = fc.oneof(fc.constant(null), fc.constant(NaN), fc.double({ min: -1e6, max: 1e6 }));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), fc.boolean(), (values, steps) => {
      const html = draw(
        values.map((v, i) => [i * 20, v] as const),
        steps,
      );
      const [, d = '', data = ''] = / d="([^"]*)" data-values="([^"]*)"/.exec(html) ?? [];
      const places = [...d.matchAll(/[MLH](-?[\d.]+)/g)];
      expect(places).toHaveLength(data === '' ? 0 : data.split(' ').length);
      expect(html).not.toMatch(/NaN|Infinity|undefined/);
    }),
  );
});
