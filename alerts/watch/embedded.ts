/** A watch within this process: scraper, store, rules and notifications. */
import { type Clock, realClock, type Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { MemoryStore } from '../../slo/promql/index.js';
import { checkExpr, QueryEngine } from '../rules/engine.js';
import { GroupState } from '../rules/group.js';
import type { RuleWorld } from '../rules/model.js';
import { asRead, type ReadGroup, type ReadRule, readRuleFiles } from '../rules/read.js';
import {
  type ActiveAlert,
  instanceOf,
  type Standing,
  standardGrouping,
  type Target,
  type Watch,
  type WatchOptions,
} from './model.js';
import { type AlertUpdate, Notifier, oneRoute, type Outlet } from './notifier.js';
import {
  type OwnAlertmanager,
  OwnRoutes,
  readOwnAlertmanager,
  seenOf,
  tellingOf,
} from './own-routes.js';
import { endsEveryMs, endsGraceMs, Receiver } from './receiver.js';
import { alertsOf, type WebhookPayload } from './webhook-payload.js';
import { fetchOverHttp, type FetchMetrics, Scraper } from './scraper.js';
import { type KnownRule, Sightings, standingOf } from './standing.js';
import { writtenVia } from './sunk-config.js';

export interface EmbeddedParts {
  clock: Clock;
  /** Fetches metrics; over HTTP unless a test replaces it. */
  fetchMetrics: FetchMetrics;
  /** Delivers to the receiver by a call instead of over HTTP, for clocks that a test steps. */
  direct: boolean;
}

/** Maximum number of samples; beyond it, the oldest quarter of the time is dropped. */
const samplesMax = 20_000_000;
const sweepEveryMs = 10_000;
/** Attempts to deliver a webhook. */
const deliveriesMax = 5;

export async function startEmbedded(
  options: WatchOptions,
  parts: Partial<EmbeddedParts> = {},
): Promise<Watch> {
  const watch = new EmbeddedWatch(options, {
    clock: parts.clock ?? realClock,
    fetchMetrics: parts.fetchMetrics ?? fetchOverHttp,
    direct: parts.direct ?? false,
  });
  await watch.start();
  return watch;
}

class EmbeddedWatch implements Watch {
  readonly kind = 'embedded';
  readonly version = 'embedded';
  readonly url = undefined;
  readonly store = new MemoryStore();
  readonly #options: WatchOptions;
  readonly #parts: EmbeddedParts;
  readonly #receiver: Receiver;
  readonly #engine: QueryEngine;
  readonly #notifier: Notifier;
  /** The user's own Alertmanager configuration, with its routes. */
  readonly #own: OwnAlertmanager | undefined;
  readonly #ownRoutes: OwnRoutes | undefined;
  readonly #groups: GroupState[];
  readonly #sightings = new Sightings();
  readonly #scrapers = new Map<string, Scraper>();
  readonly #timers: Timer[] = [];
  /** Rules whose failure has been reported; each is reported once. */
  readonly #failing = new Set<string>();
  /** The error of each rule's last evaluation. */
  readonly #lastErrors = new Map<ReadRule, string>();
  #webhook = '';
  #startedMs = 0;

  constructor(options: WatchOptions, parts: EmbeddedParts) {
    this.#options = options;
    this.#parts = parts;
    this.#receiver = new Receiver(parts.clock);
    this.#engine = new QueryEngine(this.store, {
      subqueryStepMs: options.evaluationIntervalMs,
    });
    this.#own = options.alertmanager && readOwnAlertmanager(options.alertmanager);
    this.#ownRoutes = this.#own && new OwnRoutes(this.#own, parts.clock);
    const routes = this.#ownRoutes ?? oneRoute({ ...standardGrouping, ...options.grouping });
    this.#notifier = new Notifier(parts.clock, routes, (payload, outlet) =>
      this.#deliver(payload, outlet, 1),
    );
    const world: RuleWorld = {
      query: (expr, timeMs) => this.#engine.instant(expr, timeMs),
      append: ({ labels, value, histogram }, timeMs) =>
        void this.store.append(labels, timeMs, histogram ?? value),
      appendStale: (labels, timeMs) => void this.store.appendStale(labels, timeMs),
      externalLabels: options.externalLabels ?? {},
      externalUrl: '',
    };
    const read: ReadGroup[] = [
      ...readRuleFiles(options.ruleFiles ?? [], { checkExpr }),
      ...asRead(options.groups ?? [], 'rules.yaml'),
    ];
    this.#groups = read.map((group) => new GroupState(group, world));
  }

  async start(): Promise<void> {
    if (!this.#parts.direct) this.#webhook = `${(await this.#receiver.listen()).http}/webhook`;
    for (const remark of this.#own?.remarks ?? []) this.#options.say?.(remark);
    const { clock } = this.#parts;
    this.#startedMs = clock.nowMs();
    for (const target of this.#options.targets) this.#watch(target);
    this.#groups.forEach((group, i) => this.#schedule(group, i));
    this.#timers.push(clock.every(sweepEveryMs, () => this.#sweep()));
    this.#timers.push(clock.every(endsEveryMs, () => void this.#end()));
    this.#options.say?.('embedded scraper and rules');
  }

  query(expr: string, timeMs = this.#parts.clock.nowMs()) {
    return settle(() =>
      this.#engine
        .instant(expr, timeMs)
        .map((s) => ({ labels: s.labels.toObject(), value: s.value })),
    );
  }

  queryRange(expr: string, startMs: number, endMs: number, stepMs: number) {
    return settle(() => this.#engine.range(expr, startMs, endMs, stepMs));
  }

  alerts(): Promise<ActiveAlert[]> {
    const alerts = this.#groups
      .flatMap((group) => group.alerting)
      .flatMap((rule) => rule.active())
      .map((alert) => ({
        state: alert.state as 'pending' | 'firing',
        labels: alert.labels.toObject(),
        annotations: alert.annotations,
        activeAtMs: alert.activeAtMs,
        value: alert.value,
      }));
    return Promise.resolve(alerts);
  }

  standing(
    labels: Readonly<Record<string, string>>,
    receiver?: string,
    sinceMs?: number,
  ): Promise<Standing> {
    const source = {
      nowMs: () => this.#parts.clock.nowMs(),
      stepMs: this.#options.evaluationIntervalMs,
      notifications: this.notifications,
      sightings: this.#sightings,
      telling: this.#own && tellingOf(this.#own),
      rules: () => Promise.resolve(this.#knownRules()),
      hasSeries: async (expr: string) => (await this.query(expr)).length > 0,
      queryRange: this.queryRange.bind(this),
    };
    return standingOf(source, labels, receiver, sinceMs);
  }

  trouble(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  #knownRules(): KnownRule[] {
    return this.#groups.flatMap((state) =>
      state.group.rules.map((read): KnownRule => {
        const { rule } = read;
        const lastError = this.#lastErrors.get(read);
        return {
          kind: rule.kind,
          name: rule.kind === 'alert' ? rule.alert : rule.record,
          expr: rule.expr,
          ...(lastError === undefined ? {} : { lastError }),
        };
      }),
    );
  }

  get notifications() {
    return this.#receiver.notifications;
  }

  onNotification(listener: Parameters<Watch['onNotification']>[0]): () => void {
    return this.#receiver.onNotification(listener);
  }

  setTargets(targets: readonly Target[]): Promise<void> {
    const wanted = new Map(targets.map((target) => [targetKey(target), target]));
    for (const [key, scraper] of this.#scrapers) {
      if (wanted.has(key)) continue;
      scraper.stop();
      this.#scrapers.delete(key);
    }
    for (const target of wanted.values()) this.#watch(target);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    for (const scraper of this.#scrapers.values()) scraper.stop();
    this.#scrapers.clear();
    this.#notifier.stop();
    if (!this.#parts.direct) await this.#receiver.close();
  }

  #watch(target: Target): void {
    const key = targetKey(target);
    if (this.#scrapers.has(key)) return;
    const { clock, fetchMetrics } = this.#parts;
    const { scrapeIntervalMs } = this.#options;
    const scraper = new Scraper(target, clock, this.store, scrapeIntervalMs, fetchMetrics);
    this.#scrapers.set(key, scraper);
    scraper.start();
  }

  /** Spreads the groups over their interval, so that they do not all run at the same moment. */
  #schedule(group: GroupState, index: number): void {
    const { clock } = this.#parts;
    const intervalMs = group.group.intervalMs ?? this.#options.evaluationIntervalMs;
    const delayMs = Math.floor((intervalMs * (index + 1)) / (this.#groups.length + 1));
    let lastMs = -Infinity;
    const run = (): void => {
      // Number of the slot that this evaluation belongs to, however late it is: one evaluation for each slot.
      const slots = Math.floor((clock.nowMs() - this.#startedMs - delayMs) / intervalMs);
      const timeMs = this.#startedMs + delayMs + slots * intervalMs;
      if (timeMs <= lastMs) return;
      lastMs = timeMs;
      this.#evaluate(group, timeMs);
    };
    this.#timers.push(
      clock.after(delayMs, () => {
        run();
        this.#timers.push(clock.every(intervalMs, run));
      }),
    );
  }

  #evaluate(group: GroupState, timeMs: number): void {
    const failures = group.evaluate(timeMs);
    for (const rule of group.group.rules) this.#lastErrors.delete(rule);
    for (const { rule, message } of failures) {
      this.#lastErrors.set(rule, message);
      const name = rule.rule.kind === 'alert' ? rule.rule.alert : rule.rule.record;
      const text = `${group.group.name}: ${name}: ${message}`;
      if (this.#failing.has(text) || this.#failing.size > 1000) continue;
      this.#failing.add(text);
      this.#options.say?.(text);
    }
    const updates: AlertUpdate[] = [];
    for (const rule of group.alerting) {
      for (const alert of rule.all()) {
        if (alert.state === 'pending' || alert.firedAtMs === undefined) continue;
        const labels = alert.labels.toObject();
        for (const [name, value] of Object.entries(this.#options.externalLabels ?? {})) {
          labels[name] ??= value;
        }
        updates.push({
          key: alert.labels.key,
          labels,
          annotations: alert.annotations,
          startsAtMs: alert.firedAtMs,
          ...(alert.resolvedAtMs === undefined ? {} : { endsAtMs: alert.resolvedAtMs }),
        });
      }
    }
    this.#notifier.update(updates);
    const own = this.#ownRoutes;
    if (!own) return;
    const firing = updates.filter((u) => u.endsAtMs === undefined);
    const decisions = firing.map((u) => seenOf(own.decide(u.labels, this.#notifier.firing)));
    this.#sightings.see(decisions, this.#parts.clock.nowMs());
  }

  #deliver(payload: WebhookPayload, outlet: Outlet, attempt: number): void {
    const { clock, direct } = this.#parts;
    const sink = this.#own?.sinks[outlet.number];
    if (direct || sink) {
      const via = sink ? writtenVia(sink, payload.groupKey) : {};
      this.#receiver.take({ alerts: alertsOf(payload), via }, clock.nowMs());
      return;
    }
    fetch(this.#webhook, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(payload),
      signal: AbortSignal.timeout(10_000),
    }).then(
      (response) => response.body?.cancel(),
      (error: unknown) => {
        if (attempt >= deliveriesMax) {
          this.#options.say?.(`a notification was lost: ${messageOf(error)}`);
          return;
        }
        const again = (): void => this.#deliver(payload, outlet, attempt + 1);
        this.#timers.push(clock.after(100 * attempt, again));
      },
    );
  }

  async #end(): Promise<void> {
    if (!this.#receiver.awaitsEnds) return;
    const graceMs = endsGraceMs(this.#options.evaluationIntervalMs);
    this.#receiver.end(await this.alerts(), this.#parts.clock.nowMs(), graceMs);
  }

  #sweep(): void {
    let samples = 0;
    for (const series of this.store.all()) samples += series.length;
    if (samples <= samplesMax) return;
    const nowMs = this.#parts.clock.nowMs();
    this.#startedSweepMs ??= this.#startedMs;
    this.#startedSweepMs += (nowMs - this.#startedSweepMs) / 4;
    this.store.dropBefore(this.#startedSweepMs);
  }

  #startedSweepMs: number | undefined;
}

const targetKey = (target: Target): string =>
  JSON.stringify([target.job, instanceOf(target), target.url, target.labels]);

/** Turns an exception into a rejection, as a query over HTTP would. */
function settle<T>(ask: () => T): Promise<T> {
  try {
    return Promise.resolve(ask());
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
