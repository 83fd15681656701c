/** The alert windows of a period: read from data files that name their source; factors are computed. */
import { readdirSync } from 'node:fs';
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { inputName } from '../../base/input.js';
import { asset } from '../../base/paths.js';
import { checkYaml, type Path, readYaml, type YamlDocument } from '../../base/yaml.js';
import { UserError } from '../../base/errors.js';
import type { BurnWindow } from '../spec/model.js';

export interface AlertWindow extends BurnWindow {
  /** Share of the period's budget that is spent at detection, in per cent. */
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

/** Per cent of the period's budget that a burn at the window's factor spends in its long window. */
export const budgetPercent = (window: BurnWindow, periodMs: number): number =>
  round(window.factor * (window.longMs / periodMs) * 100);

/** Sloth's object, which has the same four windows by name. */
const slothWindow = z.strictObject({
  errorBudgetPercent: z.number().gt(0).lte(100),
  shortWindow: duration,
  longWindow: duration,
});
const slothPair = z.strictObject({ quick: slothWindow, slow: slothWindow });
const slothSchema = z.strictObject({
  apiVersion: z.literal('sloth.slok.dev/v1'),
  kind: z.literal('AlertWindows'),
  spec: z.strictObject({ sloPeriod: duration, page: slothPair, ticket: slothPair }),
});

interface TableAlert {
  severity: 'page' | 'ticket';
  budgetPercent: number;
  long: number;
  short: number;
  path: Path;
}

function tableOf(document: YamlDocument): { period: number; alerts: TableAlert[] } {
  const { value } = document;
  if (typeof value === 'object' && value !== null && 'apiVersion' in value) {
    const { sloPeriod, ...pairs } = checkYaml(document, slothSchema).spec;
    const alerts = (['page', 'ticket'] as const).flatMap((severity) =>
      (['quick', 'slow'] as const).map((pace) => ({
        severity,
        budgetPercent: pairs[severity][pace].errorBudgetPercent,
        long: pairs[severity][pace].longWindow,
        short: pairs[severity][pace].shortWindow,
        path: ['spec', severity, pace],
      })),
    );
    return { period: sloPeriod, alerts };
  }
  const table = checkYaml(document, tableSchema);
  return { ...table, alerts: table.alerts.map((a, i) => ({ ...a, path: ['alerts', i] })) };
}

/** Reads a table of windows in our format or Sloth's; a user's file is checked like our own. */
export function readWindowTable(file: string): WindowTable {
  const document = readYaml(file)[0];
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'alert windows' });
  const table = tableOf(document);
  const windows = table.alerts.map((alert) => {
    if (alert.short >= alert.long || alert.long > table.period) {
      throw new UserError({
        place: document.placeOf(alert.path),
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

/** Our table for a period of so many days. */
export function standardWindows(days: number): WindowTable {
  let table = cache.get(days);
  if (!table) {
    table = standardPeriods().includes(days)
      ? readWindowTable(asset(`slo/rules/windows/${days}d.yaml`))
      : likeThirtyDays(days);
    cache.set(days, table);
  }
  return table;
}

/** Uses the factors for 30 days, because the severity of a burn does not depend on the length of the period. */
function likeThirtyDays(days: number): WindowTable {
  const periodMs = days * 86_400_000;
  const windows = standardWindows(30).windows.filter((w) => w.longMs <= periodMs);
  return {
    periodMs,
    windows: windows.map((w) => ({ ...w, budgetPercent: budgetPercent(w, periodMs) })),
  };
}

export const standardPeriods = (): number[] =>
  readdirSync(asset('slo/rules/windows'))
    .map((f) => Number.parseInt(f, 10))
    .sort((a, b) => a - b);

const hourMs = 3_600_000;

/**
 * Requirement A2: a burn rate above `pageAbove` over an hour pages. It replaces the table's page over an hour, which
 * is stricter and so could never fire alone; if the table has none, it is added.
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
