/** The computed range of an alert's firing, from the measured disturbance, calculated by hand. */
import { expect, test } from 'vitest';
import { asset } from '../../base/paths.js';
import { forBand, ratioBand, sloBand, theoryRecord } from '../../chaos/runner/theory.js';
import { readSlos } from '../../slo/index.js';
import type { AlertingRule } from '../../slo/rules/model.js';

const context = {
  timeScale: 1 / 240,
  stepMs: 60_000,
  scrapeIntervalMs: 250,
  evaluationIntervalMs: 250,
};

const rule = (forMs: number): AlertingRule => ({
  kind: 'alert',
  alert: 'A',
  expr: 'x > 0',
  forMs,
  keepFiringForMs: 0,
  labels: {},
  annotations: {},
});

test('a condition that holds at once is seen by a scrape and an evaluation, and pending for `for`', () => {
  expect(forBand(rule(0), context).band).toEqual({ exactMs: 0, earliestMs: 0, latestMs: 500 });
  expect(forBand(rule(500), context).band).toEqual({
    exactMs: 500,
    earliestMs: 500,
    latestMs: 1250,
  });
});

test('a ratio passes its bound when so much of the window is of the new', () => {
  // 25% of a window of 1.25 s in which 50% are retried: half of it; the shorter window passes sooner.
  const band = ratioBand(0.25, [1250, 1000], { baseline: 0, value: 0.5 }, 0, context)!.band;
  expect(band).toEqual({ exactMs: 625, earliestMs: 375, latestMs: 1625 });
  const pending = ratioBand(0.25, [1250], { baseline: 0, value: 0.5 }, 500, context)!.band;
  expect(pending).toEqual({ exactMs: 1125, earliestMs: 875, latestMs: 2375 });
  expect(ratioBand(0.25, [1250], { baseline: 0, value: 0.2 }, 0, context)).toBeUndefined();
});

test('the page of an SLO comes when the longest of its fastest pair of windows is filled enough', () => {
  const slo = readSlos([asset('examples/slo/retail.yaml')]).find(
    (s) => s.id === 'checkout-availability',
  )!;
  const step = { baseline: 0, errorRatio: 0.5, historyMs: 60_000 };
  const found = sloBand(slo, 'page', step, context)!;
  // 3x over an hour: 1.5% of 15 s at 50% errors are 450 ms; five minutes (1.25 s) pass sooner.
  expect(found.band.exactMs).toBeCloseTo(450, 0);
  expect(found.basis).toBe(
    'errors of checkout-availability step from 0% to 50% where 0.5% are allowed',
  );
  expect(sloBand(slo, 'page', { ...step, errorRatio: 0.01 }, context)).toBeUndefined();
});

test('within means inside the band, one evaluation of grace on either side, counted from the onset', () => {
  const band = { exactMs: 600, earliestMs: 400, latestMs: 1000 };
  const at = (firedMs: number | undefined) => theoryRecord(band, 2000, firedMs, 250, 'basis');
  expect(at(2600)).toMatchObject({ exactMs: 2600, earliestMs: 2400, latestMs: 3000, within: true });
  expect([at(2149).within, at(2150).within, at(3250).within, at(3251).within]).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(at(undefined).within).toBe(false);
});
