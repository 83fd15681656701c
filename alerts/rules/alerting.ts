/** The state of one alerting rule over time, as in Prometheus: pending, firing, kept firing and resolved alerts. */
import type { AlertingRule } from '../../slo/index.js';
import { Labels, metricNameLabel } from '../../slo/promql/index.js';
import { AlertText, type Surroundings } from '../../slo/template/index.js';
import { RuleError, type RuleSample, toldValue } from './model.js';

export interface Alert {
  state: 'pending' | 'firing' | 'inactive';
  labels: Labels;
  annotations: Record<string, string>;
  value: number;
  activeAtMs: number;
  firedAtMs?: number;
  resolvedAtMs?: number;
  keepFiringSinceMs?: number;
}

/** How long a resolved alert is kept, so that it can be sent again to an Alertmanager that missed it. */
const resolvedKeptMs = 15 * 60_000;

export class AlertingState {
  readonly rule: AlertingRule;
  readonly #labels: [string, AlertText][];
  readonly #annotations: [string, AlertText][];
  readonly #externalLabels: Readonly<Record<string, string>>;
  readonly #active = new Map<string, Alert>();

  constructor(rule: AlertingRule, externalLabels: Readonly<Record<string, string>>) {
    this.rule = rule;
    this.#externalLabels = externalLabels;
    const texts = (map: Record<string, string>): [string, AlertText][] =>
      Object.entries(map)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, text]) => [name, new AlertText(text)]);
    this.#labels = texts(rule.labels);
    this.#annotations = texts(rule.annotations);
  }

  /** The pending and firing alerts. */
  active(): Alert[] {
    return [...this.#active.values()].filter((a) => a.state !== 'inactive');
  }

  /** The active alerts and those that resolved recently. */
  all(): Iterable<Alert> {
    return this.#active.values();
  }

  /** Evaluates once: takes the expression's result, returns the series `ALERTS` and `ALERTS_FOR_STATE`. */
  evaluate(
    result: readonly RuleSample[],
    timeMs: number,
    limit: number,
    around: Surroundings,
  ): RuleSample[] {
    const found = new Map<string, Alert>();
    for (const sample of result) {
      const alert = this.#alertOf(sample, timeMs, around);
      if (found.has(alert.labels.key)) {
        throw new RuleError(
          'vector contains metrics with the same labelset after applying alert labels',
        );
      }
      found.set(alert.labels.key, alert);
    }
    for (const [key, alert] of found) {
      const known = this.#active.get(key);
      if (known && known.state !== 'inactive') {
        known.value = alert.value;
        known.annotations = alert.annotations;
      } else {
        this.#active.set(key, alert);
      }
    }
    let count = 0;
    const samples: RuleSample[] = [];
    for (const [key, alert] of this.#active) {
      if (!found.has(key)) {
        if (!this.#end(key, alert, timeMs)) continue;
      } else {
        delete alert.keepFiringSinceMs;
      }
      count++;
      if (alert.state === 'pending' && timeMs - alert.activeAtMs >= this.rule.forMs) {
        alert.state = 'firing';
        alert.firedAtMs = timeMs;
      }
      samples.push(...this.#samplesOf(alert));
    }
    if (limit > 0 && count > limit) {
      this.#active.clear();
      throw new RuleError(`exceeded limit of ${limit} with ${count} alerts`);
    }
    return samples;
  }

  #alertOf(sample: RuleSample, timeMs: number, around: Surroundings): Alert {
    const context = {
      labels: sample.labels.toObject(),
      value: toldValue(sample),
      externalLabels: this.#externalLabels,
      around,
    };
    const labels = new Map(sample.labels.entries());
    labels.delete(metricNameLabel);
    for (const [name, text] of this.#labels) labels.set(name, text.expand(context));
    labels.set('alertname', this.rule.alert);
    return {
      state: 'pending',
      labels: Labels.fromEntries(labels),
      annotations: Object.fromEntries(this.#annotations.map(([n, t]) => [n, t.expand(context)])),
      value: sample.histogram ? 0 : sample.value,
      activeAtMs: timeMs,
    };
  }

  /** Handles an alert that is absent from the result; true if keep_firing_for keeps it firing. */
  #end(key: string, alert: Alert, timeMs: number): boolean {
    if (alert.state === 'firing' && this.rule.keepFiringForMs > 0) {
      alert.keepFiringSinceMs ??= timeMs;
      if (timeMs - alert.keepFiringSinceMs < this.rule.keepFiringForMs) return true;
    }
    const forgotten =
      alert.resolvedAtMs !== undefined && timeMs - alert.resolvedAtMs > resolvedKeptMs;
    if (alert.state === 'pending' || forgotten) this.#active.delete(key);
    if (alert.state !== 'inactive') {
      alert.state = 'inactive';
      alert.resolvedAtMs = timeMs;
    }
    return false;
  }

  #samplesOf(alert: Alert): RuleSample[] {
    let { labels } = alert;
    // Where the text of a label comes out empty, Prometheus's own series have the template itself.
    for (const [name, text] of Object.entries(this.rule.labels)) {
      if (labels.get(name) === '') labels = labels.with(name, text);
    }
    return [
      {
        labels: labels.with(metricNameLabel, 'ALERTS').with('alertstate', alert.state),
        value: 1,
      },
      {
        labels: labels.with(metricNameLabel, 'ALERTS_FOR_STATE'),
        value: Math.floor(alert.activeAtMs / 1000),
      },
    ];
  }
}
