/** The alert windows of a period: read from data files that name their source, with the factors computed. */
import { readdirSync } from 'node:fs';
import { z } from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { asset } from '../../base/paths.js';
import { checkYaml, readYaml } from '../../base/yaml.js';
import { UserError } from '../../base/errors.js';
import type { BurnWindow } from '../spec/model.js';

export interface AlertWindow extends BurnWindow {
  /** Share of the period's budget that is spent by then, in per cent. */
  budgetPercent: number;
}

export interface WindowTable {
  periodMs: number;
  windows: AlertWindow[];
}

const duration = z
  .string()
  .refine((t) => (parseDurationMs(t) ?? 0) > 0, { message: 'expected a duration such as 1h' })
  .transform((t) => parseDurationMs(t) as number);

const tableSchema = z.strictObject({
  period: duration,
  alerts: z
    .array(
      z.strictObject({
        severity: z.enum(['page', 'ticket']),
        budgetPercent: z.number().gt(0).lte(100),
        long: duration,
        short: duration,
      }),
    )
    .min(1),
});

const round = (x: number): number => Number(x.toPrecision(12));

/** The factor that spends `budgetPercent` of the period's budget within the long window. */
export const burnFactor = (budgetPercent: number, periodMs: number, longMs: number): number =>
  round((budgetPercent / 100) * (periodMs / longMs));

/** Share of the period's budget that a burn of the window's factor spends in its long window. */
export const budgetPercent = (window: BurnWindow, periodMs: number): number =>
  round(window.factor * (window.longMs / periodMs) * 100);

/** Reads a table of windows; a user's own file is checked like ours. */
export function readWindowTable(file: string): WindowTable {
  const document = readYaml(file)[0];
  if (!document) throw new UserError({ message: `${file} is empty`, expected: 'alert windows' });
  const table = checkYaml(document, tableSchema);
  const windows = table.alerts.map((alert, i) => {
    if (alert.short >= alert.long || alert.long > table.period) {
      throw new UserError({
        place: document.placeOf(['alerts', i]),
        message: 'the windows are out of order',
        expected: 'short below long, and long within the period',
      });
    }
    return {
      severity: alert.severity,
      longMs: alert.long,
      shortMs: alert.short,
      factor: burnFactor(alert.budgetPercent, table.period, alert.long),
      budgetPercent: alert.budgetPercent,
    };
  });
  return { periodMs: table.period, windows };
}

const cache = new Map<number, WindowTable>();

/** Ours for a period of so many days. */
export function standardWindows(days: number): WindowTable {
  let table = cache.get(days);
  if (!table) {
    table = readWindowTable(asset(`slo/rules/windows/${days}d.yaml`));
    cache.set(days, table);
  }
  return table;
}

export const standardPeriods = (): number[] =>
  readdirSync(asset('slo/rules/windows'))
    .map((f) => Number.parseInt(f, 10))
    .sort((a, b) => a - b);

const hourMs = 3_600_000;

/**
 * Requirement A2: a burn above `pageAbove` over an hour pages. It takes the place of the table's page over an hour,
 * which is stricter and so can never fire alone; without one it is added.
 */
export function withPageAbove(table: WindowTable, pageAbove: number | false): AlertWindow[] {
  if (pageAbove === false) return table.windows;
  const hourly: AlertWindow = {
    severity: 'page',
    longMs: hourMs,
    shortMs: hourMs / 12,
    factor: pageAbove,
    budgetPercent: 0,
  };
  hourly.budgetPercent = budgetPercent(hourly, table.periodMs);
  const implied = (w: AlertWindow): boolean =>
    w.severity === 'page' &&
    w.longMs === hourly.longMs &&
    w.shortMs === hourly.shortMs &&
    w.factor >= pageAbove;
  return [hourly, ...table.windows.filter((w) => !implied(w))];
}
