/** Checks that an alert has a `for`, a severity, an owner, a runbook and a summary, and does not look at medians. */
import type { Expr } from '../../../slo/promql/index.js';
import { isComparison } from '../../../slo/promql/syntax/ast.js';
import { suggest } from '../../../base/suggest.js';
import { type Check, eachNode, metricOf, numberIn, placeOfNode, selectorsIn } from '../context.js';
import { type LintRule, offsetOf, placeOfField } from '../source.js';
import { isLatency } from './values.js';

export const latencyChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert') return;
  eachNode(rule, (node, parents) => {
    const quantile = quantileOf(node);
    // A median is a sensible baseline to compare other values with.
    const isBase = (p: Expr): boolean =>
      p.kind === 'binary' && (p.op === '/' || isComparison(p.op)) && node.from >= p.right.from;
    if (parents.some(isBase)) return;
    if (quantile !== undefined && isMiddle(quantile) && isLatency(rule, node)) {
      say('alert/median-latency', placeOfNode(rule, node), {
        message: `the alert looks at p${Math.round(quantile * 100)}: half of the requests may be slow without it`,
        fix: 'look at p95 or p99, or better at the share of requests that are too slow',
      });
    }
    if (node.kind === 'binary' && node.op === '/' && isMean(node) && isLatency(rule, node)) {
      say('alert/mean-latency', placeOfNode(rule, node), {
        message: 'a sum divided by its count is a mean, which a few slow requests hardly move',
        fix: 'use histogram_quantile over the buckets, or the share of requests that are too slow',
      });
    }
  });
};

/** Lower quantiles look for the smallest value (the next certificate to expire), not for what users feel. */
const isMiddle = (quantile: number): boolean => quantile >= 0.3 && quantile <= 0.6;

function quantileOf(node: Expr): number | undefined {
  if (node.kind === 'call' && /^(histogram_quantile|quantile_over_time)$/.test(node.name)) {
    return numberIn(node.args[0]);
  }
  if (node.kind === 'aggregate' && node.op === 'quantile') return numberIn(node.param);
  if (node.kind !== 'selector') return undefined;
  const summary = node.matchers.find((m) => m.name === 'quantile' && m.op === '=');
  return summary ? Number(summary.value) : undefined;
}

function isMean(node: Extract<Expr, { kind: 'binary' }>): boolean {
  const [left, right] = [selectorsIn(node.left), selectorsIn(node.right)].map((s) =>
    s.map(metricOf),
  );
  return (
    (left ?? []).some((n) => n?.endsWith('_sum')) &&
    (right ?? []).some((n) => n?.endsWith('_count'))
  );
}

/** Functions that look at a range, so that one sample decides nothing. */
const lookBack = /_over_time$|^(rate|increase|delta|deriv|predict_linear|changes|resets)$/;
/** Names of recorded windows: the usual `…:ratio_rate5m`, and our `slo:period_…` over an SLO's whole period. */
const windowedName = /\d+[smhdw]$|^slo:period_/;

/** Metrics of the time until or since a moment, which do not flicker. */
const ofTime = /(_ttl(_seconds)?|_expiry|_expiration|_expires?_\w+|_uptime(_\w+)?)$/;

/** Whether one sample alone can make the expression true. */
function hangsOnOneSample(expr: Expr): boolean {
  switch (expr.kind) {
    case 'selector':
      return !windowedName.test(metricOf(expr) ?? '') && !ofTime.test(metricOf(expr) ?? '');
    case 'call':
      if (lookBack.test(expr.name)) return false;
      if (expr.name === 'time') return false;
      return expr.args.some(hangsOnOneSample);
    case 'binary':
      // The time since a moment only grows, so the comparison cannot flicker.
      if (mentionsTime(expr.left) || mentionsTime(expr.right)) return false;
      if (expr.op === 'and') return hangsOnOneSample(expr.left) && hangsOnOneSample(expr.right);
      return hangsOnOneSample(expr.left) || hangsOnOneSample(expr.right);
    case 'aggregate':
    case 'paren':
    case 'unary':
      return hangsOnOneSample(expr.expr);
    default:
      return false;
  }
}

const mentionsTime = (expr: Expr): boolean => {
  if (expr.kind === 'call') return expr.name === 'time';
  if (expr.kind === 'paren' || expr.kind === 'unary') return mentionsTime(expr.expr);
  if (expr.kind === 'binary' && /^[-+*/]$/.test(expr.op)) {
    return mentionsTime(expr.left) || mentionsTime(expr.right);
  }
  return false;
};

export const forChecks: Check = (rule, _options, say) => {
  if (rule.kind !== 'alert' || !rule.expr) return;
  const waits = rule.for !== undefined && !/^0(ms|s|m)?$/.test(rule.for);
  // An alert of a severity that wakes nobody may flicker.
  if (/^(warning|info|none|ticket)$/.test(rule.labels.severity ?? '')) return;
  if (waits || !hangsOnOneSample(rule.expr)) return;
  say('alert/missing-for', placeOfField(rule, rule.for === undefined ? 'alert' : 'for'), {
    message: `${rule.name} fires on a single sample`,
    fix: 'add for: 5m (or as long as the alert may wait)',
  });
};

export const carriedChecks: Check = (rule, options, say) => {
  if (rule.kind !== 'alert') return;
  const place = placeOfField(rule, 'alert');
  const { severity } = rule.labels;
  if (severity === undefined) {
    say('alert/missing-severity', place, {
      message: `${rule.name} has no severity`,
      fix: `add the label severity: ${options.severities.join(' or ')}`,
    });
  } else if (!options.severities.includes(severity) && !severity.includes('{{')) {
    const near = suggest(severity, options.severities);
    const at = rule.document.placeOf([...rule.path, 'labels', 'severity']);
    const from = offsetOf(rule.file, at);
    const written = rule.file.text.slice(from, from + severity.length) === severity;
    const isCase = near !== undefined && near === severity.toLowerCase();
    say('alert/unknown-severity', at, {
      message: `the severity '${severity}' is not one of ${options.severities.join(', ')}`,
      fix: near ? `did you mean ${near}?` : 'use one that routes know (--severities)',
      edit: isCase && written ? { from, to: from + severity.length, text: near } : undefined,
    });
  }
  if (!options.ownerLabels.some((label) => rule.labels[label] !== undefined)) {
    say('alert/missing-owner', place, {
      message: `${rule.name} has no owner`,
      fix: `add the label ${options.ownerLabels.join(' or ')}`,
    });
  }
  if ((rule.annotations.summary ?? rule.annotations.description) === undefined) {
    say('alert/missing-summary', place, {
      message: `${rule.name} has neither summary nor description`,
      fix: 'add the annotation summary, with the value: {{ $value | humanize }}',
    });
  }
  if (!Object.keys(rule.annotations).some((name) => /^runbook(_url)?$/i.test(name))) {
    const url =
      options.runbookBase === undefined
        ? undefined
        : `${options.runbookBase.replace(/\/+$/, '')}/${rule.name}`;
    say('alert/missing-runbook', place, {
      message: `${rule.name} has no runbook`,
      fix:
        rule.labels.slo === undefined
          ? `add the annotation runbook_url${url === undefined ? '' : `: ${url}`}`
          : 'give its SLO a runbook, or slo generate a --runbook-base',
      edit: url === undefined ? undefined : addAnnotation(rule, url),
    });
  }
};

/** The link's last part is the page's name; a link with a template in it is not checked. */
export const runbookPageChecks: Check = (rule, options, say) => {
  if (rule.kind !== 'alert' || !options.runbooks) return;
  for (const [name, url] of Object.entries(rule.annotations)) {
    if (!/^runbook(_url)?$/i.test(name) || url.includes('{{')) continue;
    const page =
      url
        .replace(/[?#].*$/, '')
        .replace(/\/+$/, '')
        .split('/')
        .at(-1) ?? '';
    const known = page.replace(/\.(md|html)$/, '');
    if (options.runbooks.has(known)) continue;
    const byLower = new Map([...options.runbooks].map((p) => [p.toLowerCase(), p]));
    const near = byLower.get(suggest(known, byLower.keys()) ?? '');
    say('alert/dead-runbook', rule.document.placeOf([...rule.path, 'annotations', name]), {
      message: `there is no page ${known}`,
      fix: near ? `did you mean ${near}?` : 'write it, or correct the link',
    });
  }
};

/** The edit inserts into the block `annotations:` if there is one, at the indentation of its first entry. */
function addAnnotation(rule: LintRule, url: string) {
  const [first] = Object.keys(rule.annotations);
  if (first === undefined) return undefined;
  const place = rule.document.placeOfKey([...rule.path, 'annotations', first]);
  const at = offsetOf(rule.file, place);
  const before = rule.file.text.slice(at - place.column + 1, at);
  // A flow map ({a: b}) cannot take a line of its own.
  if (before.trim() !== '') return undefined;
  return { from: at, to: at, text: `runbook_url: ${JSON.stringify(url)}\n${before}` };
}
