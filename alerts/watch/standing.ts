/**
 * Finds out how far an alert has come on its way from its rule to a pager, and why no further; verdicts on missing
 * pages use this. Alertmanager's statements about an alert are remembered while it fires, because Alertmanager forgets
 * them.
 */
import { parse, PromqlError, type VectorSelector, walk } from '../../slo/promql/index.js';
import { print } from '../../slo/promql/syntax/print.js';
import type { Notification, SampleSeries, Standing } from './model.js';

/** The treatment of a firing alert by Alertmanager. */
export interface Seen {
  labels: Readonly<Record<string, string>>;
  /** Receivers of the alert's routes. */
  receivers: readonly string[];
  /** Description of the inhibiting alert, if the alert is inhibited. */
  inhibitedBy?: string;
  silencedBy?: string;
  /** The muting time interval, by receiver. */
  mutedBy?: Readonly<Record<string, string>>;
  /** The wait of each receiver's route before a group's first notification (`group_wait`), in milliseconds. */
  waitMs?: Readonly<Record<string, number>>;
}

interface Remembered extends Seen {
  atMs: number;
}

const rememberedMax = 10_000;

export class Sightings {
  readonly #seen = new Map<string, Remembered>();

  see(alerts: readonly Seen[], atMs: number): void {
    for (const alert of alerts) {
      const key = JSON.stringify(Object.entries(alert.labels).sort());
      this.#seen.delete(key);
      this.#seen.set(key, { ...alert, atMs });
    }
    for (const key of this.#seen.keys()) {
      if (this.#seen.size <= rememberedMax) break;
      this.#seen.delete(key);
    }
  }

  /** The latest sighting with these labels at or after `sinceMs`. */
  latest(labels: Readonly<Record<string, string>>, sinceMs: number): Seen | undefined {
    return [...this.#seen.values()]
      .filter((seen) => seen.atMs >= sinceMs && hasLabels(seen.labels, labels))
      .sort((a, b) => b.atMs - a.atMs)[0];
  }
}

export interface KnownRule {
  kind: 'alert' | 'record';
  name: string;
  expr: string;
  /** The error of the rule's last evaluation. */
  lastError?: string;
}

/** The data that a watch, real or embedded, provides. */
export interface StandingSource {
  nowMs(): number;
  stepMs: number;
  notifications: readonly Notification[];
  sightings: Sightings;
  /** The receivers that notify somebody; undefined if there is only one, which does. */
  telling: ReadonlySet<string> | undefined;
  rules(): Promise<readonly KnownRule[]>;
  /** Whether an expression has a result now. */
  hasSeries(expr: string): Promise<boolean>;
  queryRange(expr: string, startMs: number, endMs: number, stepMs: number): Promise<SampleSeries[]>;
}

/** Span to look at, in milliseconds, if the caller gives no start. */
const lookBackMs = 5000;
const pointsMax = 5000;

export async function standingOf(
  source: StandingSource,
  labels: Readonly<Record<string, string>>,
  receiver: string | undefined,
  sinceMs: number | undefined,
): Promise<Standing> {
  const wanted = source.telling === undefined ? undefined : receiver;
  const nowMs = source.nowMs();
  const fromMs = sinceMs ?? nowMs - Math.max(lookBackMs, 4 * source.stepMs);
  const rules = await source.rules();
  const own = rules.filter((r) => r.kind === 'alert' && r.name === labels.alertname);
  if (labels.alertname === undefined || own.length === 0) return { state: 'no-rule' };
  const history = await historyOf(source, labels, fromMs, nowMs);
  const times = {
    ...(history.activeAtMs === undefined ? {} : { activeAtMs: history.activeAtMs }),
    ...(history.firedAtMs === undefined ? {} : { firedAtMs: history.firedAtMs }),
  };
  const told = toldOf(source, labels, sinceMs === undefined ? undefined : fromMs);
  const isTold = told.some((n) => wanted === undefined || n.receiver === wanted);
  if (isTold) {
    const receivers = [...new Set(told.flatMap((n) => n.receiver ?? []))];
    return { state: 'notified', ...(receivers.length > 0 && { receivers }), ...times };
  }
  if (history.firedAtMs !== undefined || told.length > 0) {
    return { ...stopped(source, labels, wanted, fromMs, told), ...times };
  }
  if (history.activeAtMs !== undefined) return { state: 'pending', ...times };
  const failed = own.find((r) => r.lastError !== undefined)?.lastError;
  if (failed !== undefined) return { state: 'inactive', by: `the rule fails: ${failed}` };
  const missing = await missingMetric(source, own, rules);
  return missing === undefined ? { state: 'inactive' } : { state: 'no-data', by: missing };
}

/** Notifications since `fromMs`, or those of alerts that are still open. */
function toldOf(
  source: StandingSource,
  labels: Readonly<Record<string, string>>,
  fromMs: number | undefined,
): Notification[] {
  const own = source.notifications.filter((n) => hasLabels(n.labels, labels));
  if (fromMs !== undefined) {
    return own.filter((n) => n.status === 'firing' && n.receivedMs >= fromMs);
  }
  const open = new Map<string, Notification>();
  for (const n of own) {
    const key = JSON.stringify([n.receiver, n.integration, Object.entries(n.labels).sort()]);
    if (n.status === 'firing') open.set(key, n);
    else open.delete(key);
  }
  return [...open.values()];
}

/** The reason why a firing alert did not reach the expected receiver. */
function stopped(
  source: StandingSource,
  labels: Readonly<Record<string, string>>,
  receiver: string | undefined,
  fromMs: number,
  told: readonly Notification[],
): Standing {
  const seen = source.sightings.latest(labels, fromMs);
  const receivers = seen?.receivers ?? [...new Set(told.flatMap((n) => n.receiver ?? []))];
  if (!seen && receivers.length === 0) return { state: 'firing' };
  if (seen?.inhibitedBy !== undefined) {
    return { state: 'inhibited', by: seen.inhibitedBy, receivers };
  }
  if (seen?.silencedBy !== undefined) return { state: 'silenced', by: seen.silencedBy, receivers };
  if (receiver !== undefined && !receivers.includes(receiver)) {
    return { state: 'routed-elsewhere', receivers };
  }
  const wanted = receiver === undefined ? receivers : [receiver];
  const muted = wanted.flatMap((name) => seen?.mutedBy?.[name] ?? []);
  if (muted.length === wanted.length && muted.length > 0) {
    return { state: 'muted', by: [...new Set(muted)].join('; '), receivers };
  }
  const isHeard = wanted.some((name) => source.telling?.has(name) ?? true);
  if (!isHeard) {
    return { state: 'routed-elsewhere', by: 'a receiver without integrations', receivers };
  }
  const waits = wanted.flatMap((name) => seen?.waitMs?.[name] ?? []);
  return { state: 'firing', receivers, ...(waits.length > 0 && { waitMs: Math.min(...waits) }) };
}

async function historyOf(
  source: StandingSource,
  labels: Readonly<Record<string, string>>,
  fromMs: number,
  nowMs: number,
): Promise<{ activeAtMs?: number; firedAtMs?: number }> {
  const matchers = Object.entries(labels).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  const stepMs = Math.max(1, source.stepMs, Math.ceil((nowMs - fromMs) / pointsMax));
  const series = await source.queryRange(`ALERTS{${matchers.join(',')}}`, fromMs, nowMs, stepMs);
  const first = (state?: string): number | undefined =>
    earliest(
      series.flatMap((s) => {
        const point = s.points[0];
        return point && (state === undefined || s.labels.alertstate === state) ? [point[0]] : [];
      }),
    );
  const [activeAtMs, firedAtMs] = [first(), first('firing')];
  return {
    ...(activeAtMs === undefined ? {} : { activeAtMs }),
    ...(firedAtMs === undefined ? {} : { firedAtMs }),
  };
}

const earliest = (times: readonly number[]): number | undefined =>
  times.length === 0 ? undefined : Math.min(...times);

const recordsMax = 20;

/** The first metric without series, following recorded metrics down to scraped ones. */
async function missingMetric(
  source: StandingSource,
  own: readonly KnownRule[],
  rules: readonly KnownRule[],
): Promise<string | undefined> {
  const records = new Map(rules.filter((r) => r.kind === 'record').map((r) => [r.name, r.expr]));
  const asked = new Set<string>();
  const search = async (expr: string): Promise<string | undefined> => {
    for (const selector of selectorsOf(expr)) {
      const { name } = selector;
      const text = print(selector);
      if (asked.has(text) || asked.size >= recordsMax) continue;
      asked.add(text);
      if (await source.hasSeries(text)) continue;
      const recorded = name === undefined ? undefined : records.get(name);
      const deeper = recorded === undefined ? undefined : await search(recorded);
      if (deeper !== undefined) return deeper;
      const isThere = name !== undefined && name !== text && (await source.hasSeries(name));
      return `${isThere || name === undefined ? text : name} has no series`;
    }
    return undefined;
  };
  for (const rule of own) {
    const found = await search(rule.expr);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The selectors that an expression needs, without offsets; those that may be absent are left out. */
function selectorsOf(expr: string): VectorSelector[] {
  const found: VectorSelector[] = [];
  try {
    walk(parse(expr), (node, parents) => {
      if (node.kind !== 'selector' || node.name === 'ALERTS') return;
      const optional = parents.some(
        (p, i) =>
          (p.kind === 'call' && p.name.startsWith('absent')) ||
          (p.kind === 'binary' &&
            (p.op === 'or' || (p.op === 'unless' && (parents[i + 1] ?? node) === p.right))),
      );
      if (optional) return;
      const { kind, name, matchers, from, to } = node;
      found.push({ kind, name, matchers, from, to });
    });
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
  }
  return found;
}

const hasLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).every(([name, value]) => (labels[name] ?? '') === value);
