/** The report in a browser: nothing overflows, nothing is fetched, everything is readable. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';
import { requireTool } from '../../base/tools.js';
import { gameDayFiles } from '../../runbooks/report/files.js';
import { style } from '../../runbooks/report/style.js';
import { testWith } from '../tools.js';
import { badGameDay } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

testWith('chromium')(
  'it fits on a phone and on a desk, in light and dark, asks for nothing and says no error',
  async () => {
    const file = join(folder, 'index.html');
    writeFileSync(file, gameDayFiles(badGameDay()).get('index.html') as string);
    const browser = await chromium.launch({
      executablePath: requireTool('chromium'),
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      for (const [width, colorScheme] of [
        [390, 'light'],
        [768, 'dark'],
        [1280, 'light'],
      ] as const) {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        const asked: string[] = [];
        const errors: string[] = [];
        page.on('request', (r) => asked.push(r.url()));
        page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
        await page.goto(`file://${file}`);
        // As text, because this project's types have no document.
        const scroll = await page.evaluate('document.documentElement.scrollWidth');
        const plots = await page.evaluate(
          `[...document.querySelectorAll('figure svg')]
            .filter((svg) => svg.getBoundingClientRect().width > 0).length`,
        );
        expect([width, scroll]).toEqual([width, width]);
        // One figure for the run and one for each scenario, each drawn once for this width.
        expect(plots).toBe(4);
        expect(asked).toEqual([`file://${file}`]);
        // If the script runs, a pointer reads the values; every name of the legend has its value.
        const figure = page.locator('figure svg:visible').first();
        await figure.hover();
        const said = page.locator('.said-of-figure:visible');
        expect(await said.textContent()).toMatch(/UTC, \+?-?[\d.]+ s.*(\d(%|x| ms)|no data)/);
        await figure.press('Escape');
        expect(await said.count()).toBe(0);
        expect(errors).toEqual([]);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  },
  60_000,
);

testWith('chromium')(
  'a link opens the folded part that it leads to, and paper shows every part',
  async () => {
    const record = badGameDay();
    for (const scenario of record.scenarios) scenario.verdict = 'PASS';
    const file = join(folder, 'folded.html');
    writeFileSync(file, gameDayFiles(record).get('index.html') as string);
    const browser = await chromium.launch({
      executablePath: requireTool('chromium'),
      args: ['--no-sandbox', '--disable-gpu'],
    });
    try {
      for (const javaScriptEnabled of [true, false]) {
        const page = await browser.newPage({ javaScriptEnabled });
        await page.goto(`file://${file}`);
        const parts = page.locator('.scenario .prose');
        const seen = (): Promise<boolean[]> =>
          Promise.all([0, 1].map((i) => parts.nth(i).isVisible()));
        expect(await seen()).toEqual([false, false]);
        await page.emulateMedia({ media: 'print' });
        if (javaScriptEnabled) {
          await page.evaluate(`dispatchEvent(new Event('beforeprint'))`);
          expect(await page.locator('details:not([open])').count()).toBe(0);
        }
        expect(await seen()).toEqual([true, true]);
        // Wide tables end in the verdict. Both papers, on their side, without margins of 10 mm: 979 and 1047 pixels.
        for (const width of [979, 1047]) {
          await page.setViewportSize({ width, height: 700 });
          const cut = `[...document.querySelectorAll('table, svg')]
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).length`;
          expect([width, await page.evaluate(cut)]).toEqual([width, 0]);
        }
        const paper = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
        const [, across = 0, down = 0] = /MediaBox *\[0 0 ([\d.]+) ([\d.]+)\]/.exec(paper) ?? [];
        expect(Number(across)).toBeGreaterThan(Number(down));
        await page.reload();
        await page.emulateMedia({ media: 'screen' });
        expect(await seen()).toEqual([false, false]);
        await page.locator(`.contents a[href="#${record.scenarios[1]!.id}"]`).click();
        await parts.nth(1).waitFor();
        expect(await seen()).toEqual([false, true]);
        await page.close();
      }
    } finally {
      await browser.close();
    }
  },
  60_000,
);

/** Relative luminance and contrast, WCAG 2.2. */
function contrast(a: string, b: string): number {
  const luminance = (hex: string): number => {
    const full = hex.length === 4 ? hex.replaceAll(/[0-9a-f]/gi, '$&$&') : hex;
    const [r, g, bl] = [1, 3, 5].map((i) => {
      const c = parseInt(full.slice(i, i + 2), 16) / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * bl;
  };
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

test('every text can be read in both colour schemes (WCAG AA)', () => {
  const themes = [...style.matchAll(/:root\{(?:color-scheme:light dark;)?(--page[^}]*)\}/g)]
    .slice(0, 2)
    .map((m) => Object.fromEntries((m[1] as string).split(';').map((p) => p.split(':'))));
  expect(themes).toHaveLength(2);
  for (const theme of themes) {
    const on = (text: string, ground: string): number =>
      contrast(theme[`--${text}`] as string, theme[`--${ground}`] as string);
    for (const text of ['ink', 'quiet', 'good', 'bad', 'unsure', 'link', 'alert']) {
      expect([text, on(text, 'card') >= 4.5]).toEqual([text, true]);
    }
    for (const kind of ['good', 'bad', 'unsure']) {
      expect([kind, on(kind, `${kind}-soft`) >= 4.5]).toEqual([kind, true]);
    }
  }
});
