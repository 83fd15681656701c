/** Compares the alerting of two versions of the same SLOs. */
import { budgetRatio, type Slo } from '../spec/model.js';
import { compileSlo } from './compile.js';
import { measureOf, roughly } from './explain.js';
import type { AlertingRule } from './model.js';
import type { CompileOptions } from './plan.js';
import { theoryOf } from './theory.js';

export interface SloChange {
  id: string;
  change: 'added' | 'removed' | 'changed';
  /** One sentence for each difference. */
  details: string[];
}

export function diffSlos(
  before: readonly Slo[],
  after: readonly Slo[],
  options: CompileOptions = {},
): SloChange[] {
  const old = new Map(before.map((s) => [s.id, s]));
  const now = new Map(after.map((s) => [s.id, s]));
  const changes: SloChange[] = [];
  for (const id of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const was = old.get(id);
    const is = now.get(id);
    if (!was && is) changes.push({ id, change: 'added', details: [pages(is, options)] });
    else if (was && !is) {
      changes.push({ id, change: 'removed', details: ['it no longer pages'] });
    } else if (was && is) {
      const details = differences(was, is, options);
      if (details.length > 0) changes.push({ id, change: 'changed', details });
    }
  }
  return changes;
}

const detect = (slo: Slo, severity: 'page' | 'ticket', errorRatio: number, o: CompileOptions) => {
  const { detection } = theoryOf(slo, severity, { baseline: 0, errorRatio }, o);
  return detection ? `after ${roughly(detection.exactMs)}` : 'never';
};

const pages = (slo: Slo, o: CompileOptions): string =>
  `a complete failure pages ${detect(slo, 'page', 1, o)}`;

function differences(was: Slo, is: Slo, o: CompileOptions): string[] {
  const details: string[] = [];
  const say = (what: string, a: unknown, b: unknown): void => {
    if (text(a) === text(b)) return;
    details.push(`${what}: ${text(a)} before, ${text(b)} now`);
  };
  say('objective', `${was.objective}%`, `${is.objective}%`);
  say(
    'period',
    was.period.calendar ?? `${was.period.days}d`,
    is.period.calendar ?? `${is.period.days}d`,
  );
  say('owner', was.owner ?? was.labels.owner, is.owner ?? is.labels.owner);
  say('the measurement', measured(was), measured(is));
  say('grouped by', was.groupBy, is.groupBy);
  for (const [what, ratio] of [
    ['a complete failure', 1],
    ['an error ratio of 1%', 0.01],
    [`an error ratio of ${budgetRatio(was.objective) * 500}%`, budgetRatio(was.objective) * 5],
  ] as const) {
    for (const severity of ['page', 'ticket'] as const) {
      const verb = severity === 'page' ? 'pages' : 'files a ticket';
      say(`${what} ${verb}`, detect(was, severity, ratio, o), detect(is, severity, ratio, o));
    }
  }
  const alerts = (slo: Slo): AlertingRule[] =>
    compileSlo(slo, o).flatMap((g) => g.rules.filter((r) => r.kind === 'alert'));
  const [old, now] = [alerts(was), alerts(is)];
  const key = (a: AlertingRule): string => `${a.alert} (${a.labels.severity})`;
  say('alerts', old.map(key), now.map(key));
  for (const alert of now) {
    const eachOf = (what: string, a: AlertingRule['labels'], b: AlertingRule['labels']): void => {
      for (const name of Object.keys({ ...a, ...b }).sort()) {
        say(`${what} ${name} of ${key(alert)}`, a[name], b[name]);
      }
    };
    const same = old.find((a) => key(a) === key(alert));
    if (!same) continue;
    eachOf('label', same.labels, alert.labels);
    say(`for of ${key(alert)}`, same.forMs, alert.forMs);
    say(`keep_firing_for of ${key(alert)}`, same.keepFiringForMs, alert.keepFiringForMs);
    eachOf('annotation', same.annotations, alert.annotations);
  }
  return details;
}

/** The measurement as text; the sum of a counter's rates is written as the counter, so that both forms are equal. */
const measured = (slo: Slo): string =>
  measureOf(slo.sli).replaceAll(
    /sum\((?:rate|increase)\(([^[]*)\[\{\{\s*\.window\s*\}\}\]\)\)/g,
    '$1',
  );

/** A value as text; labels are in the order of their names. */
const text = (value: unknown): string => {
  if (value === undefined) return 'none';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  return JSON.stringify(
    Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
};
