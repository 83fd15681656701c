/** Findings of lint: the place, the rule of lint that found it, and the repair. */
import type { Place } from '../../base/errors.js';

export type Level = 'error' | 'warning';

/** Every rule of lint by its id, with its level and its purpose. */
export const lintRules = {
  'rule/invalid': ['error', 'Prometheus would not load the file'],
  'rule/dialect': ['warning', 'Prometheus refuses a file with a field of Mimir or Thanos'],
  'rule/duplicate': [
    'warning',
    'a duplicate alert pages twice, a duplicate record is computed twice',
  ],
  'promql/syntax': ['error', 'an expression that does not parse never fires'],
  'promql/feature-flag': [
    'warning',
    'Prometheus refuses the whole file until the feature is enabled',
  ],
  'promql/unknown-metric': ['error', 'a metric that nobody exposes never fires'],
  'promql/unknown-label': ['error', 'a label that the metric does not have matches nothing'],
  'promql/unrecorded': ['warning', 'a recording rule that nobody records never fires'],
  'promql/rate-of-gauge': ['error', 'a rate takes every fall of a gauge for a restart'],
  'promql/delta-of-counter': ['warning', 'a restart of the process looks like a large decrease'],
  'promql/rate-of-sum': [
    'error',
    'a restart of one process makes the sum jump: rate first, then sum',
  ],
  'promql/raw-counter': ['warning', 'a counter only grows: once above a bound it stays there'],
  'promql/no-le': ['error', 'a quantile needs the label le'],
  'promql/never-true': ['error', 'the comparison can hold for no value'],
  'promql/always-true': ['warning', 'the comparison holds for every value'],
  'promql/short-window': [
    'error',
    'a range of fewer than four scrapes may be empty after a missed one',
  ],
  'promql/unbounded-label': ['error', 'one alert or series for every user, path or request'],
  'promql/needless-regex': ['warning', 'an equality is faster and clearer'],
  'promql/renamed-metric': ['warning', 'with a current exporter, the rule never fires'],
  'promql/renamed-label': ['warning', 'with a current exporter, the label matches nothing'],
  'promql/late-samples': [
    'warning',
    'a query of the present does not find samples with old timestamps',
  ],
  'promql/chained-comparison': [
    'warning',
    'the second comparison uses a value, not the result of the first',
  ],
  'promql/parts-compared': ['warning', 'no single part reaches a bound meant for the whole'],
  'promql/levels': ['warning', 'a warning wakes somebody just like an error'],
  'promql/read-only': ['warning', 'a read-only file system can neither fill up nor be cleaned up'],
  'alert/median-latency': [
    'error',
    'p50 does not move even if almost half of all users wait for ever',
  ],
  'alert/mean-latency': ['warning', 'a mean hides slow requests behind fast ones'],
  'alert/missing-for': ['warning', 'one bad sample pages somebody'],
  'alert/missing-severity': ['error', 'it is unclear whether to wake somebody'],
  'alert/unknown-severity': [
    'warning',
    'an alert of a severity without a route goes to the default receiver',
  ],
  'alert/missing-owner': ['error', 'nobody looks at an alert without an owner'],
  'alert/missing-runbook': ['error', 'a person who is woken needs instructions'],
  'alert/dead-runbook': ['error', 'the link leads to no page'],
  'alert/missing-summary': ['warning', 'the notification has no text'],
  'alert/chance-page': [
    'warning',
    'with little traffic, a single failure is a large share of errors and pages',
  ],
  'alert/template': ['error', 'the text is replaced by an error message'],
  'alert/template-label': ['error', 'the text has a gap'],
  'alert/value-in-label': ['error', 'every new value is a new alert, which stays pending'],
  'lint/no-reason': ['error', 'an exception needs a reason'],
  'lint/unknown-rule': ['error', 'the exception names no rule of lint'],
  'lint/unused-ignore': ['warning', 'an exception that is no longer needed hides the next mistake'],
} as const satisfies Record<string, readonly [Level, string]>;

export type LintRuleId = keyof typeof lintRules;

/** Replaces the characters `from` to `to` of the file by `text`. */
export interface Edit {
  from: number;
  to: number;
  text: string;
}

export interface Finding {
  rule: LintRuleId;
  level: Level;
  place: Place;
  /** The alert or the recorded metric that the finding is about; empty for the whole file. */
  subject: string;
  /** The mistake. */
  message: string;
  /** How to correct it. */
  fix: string;
  /** Present where the correction is safe without review. */
  edit?: Edit;
}
