/** Findings of lint: the place, the rule of lint that found it, and the repair. */
import type { Place } from '../../base/errors.js';

export type Level = 'error' | 'warning';

/** Every rule of lint by its id, with its level and its purpose. */
export const lintRules = {
  'rule/invalid': ['error', 'Prometheus would not load the file'],
  'rule/duplicate': ['warning', 'the same alert twice pages twice, the same record is made twice'],
  'promql/syntax': ['error', 'an expression that does not parse never fires'],
  'promql/feature-flag': [
    'warning',
    'a stock Prometheus 3 refuses it until a feature is enabled, and the whole file with it',
  ],
  'promql/unknown-metric': ['error', 'a metric that nobody exposes never fires'],
  'promql/unknown-label': ['error', 'a label that the metric does not have matches nothing'],
  'promql/unrecorded': ['error', 'a recording rule that nobody records never fires'],
  'promql/rate-of-gauge': ['error', 'a rate takes every fall of a gauge for a restart'],
  'promql/delta-of-counter': ['warning', 'a restart of the process looks like a huge fall'],
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
    'a range of fewer than four scrapes is empty after one that was missed',
  ],
  'promql/unbounded-label': ['error', 'one alert or series for every user, path or request'],
  'promql/needless-regex': ['warning', 'a plain comparison is faster and says what is meant'],
  'promql/renamed-metric': ['warning', 'with its exporter of today the rule is silent'],
  'promql/renamed-label': ['warning', 'with its exporter of today the label matches nothing'],
  'promql/late-samples': ['warning', 'what is stamped late is not found by a query of now'],
  'promql/chained-comparison': ['warning', 'the second comparison is of a value, not of the first'],
  'promql/parts-compared': ['warning', 'no part reaches the bound that was meant for the whole'],
  'promql/levels': ['warning', 'a warning wakes somebody as an error does'],
  'promql/read-only': ['warning', 'an alert for what nobody can fill, or empty'],
  'alert/median-latency': ['error', 'half of all users may wait for ever without a p50 moving'],
  'alert/mean-latency': ['warning', 'a mean hides the slow ones behind the fast'],
  'alert/missing-for': ['warning', 'one bad sample pages somebody'],
  'alert/missing-severity': ['error', 'nobody knows whether to wake somebody'],
  'alert/unknown-severity': [
    'warning',
    'a severity that no route knows goes to the default receiver',
  ],
  'alert/missing-owner': ['error', 'an alert that belongs to nobody is looked at by nobody'],
  'alert/missing-runbook': ['error', 'whoever is woken has to know what to do'],
  'alert/dead-runbook': ['error', 'whoever is woken finds no page'],
  'alert/missing-summary': ['warning', 'the notification says nothing'],
  'alert/chance-page': [
    'warning',
    'where few events happen, one failure is a large share, and wakes somebody',
  ],
  'alert/template': ['error', 'the text comes out as an error'],
  'alert/template-label': ['error', 'the text comes out with a gap'],
  'alert/value-in-label': [
    'error',
    'every new value is a new alert, which never gets through its wait',
  ],
  'lint/no-reason': ['error', 'an exception has to say why'],
  'lint/unknown-rule': ['error', 'an exception from nothing'],
  'lint/unused-ignore': [
    'warning',
    'an exception that is not needed any more hides the next mistake',
  ],
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
