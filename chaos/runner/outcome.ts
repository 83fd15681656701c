/**
 * Names the outcome of one alert that must fire: an alert that arrived as a ticket, was inhibited or has no rule is
 * never reported as not fired. A pure function; its cases are rows of a table in its test.
 */
import { wakes } from '../../runbooks/pager.js';
import type { Firing, OutcomeRecord, TheoryRecord } from '../../runbooks/record.js';
import { suggest } from '../../base/suggest.js';
import type { AlertingRule } from '../../slo/rules/model.js';
import type { Expected } from '../scenarios/schema.js';
import { fulfils, isBlip, matches, receivedMs } from './firings.js';
import type { Sighting } from './sightings.js';

/** All inputs of an outcome; times are milliseconds since the epoch unless they say otherwise. */
export interface OutcomeFacts {
  wanted: Expected;
  /** Undefined if nothing was injected. */
  injectedMs: number | undefined;
  /** The start of deadlines; undefined if no effect was seen. */
  confirmedMs: number | undefined;
  /** Real milliseconds, including the allowance. */
  deadlineMs: number;
  /** The rules with real durations: `for` is already scaled. */
  rules: readonly AlertingRule[];
  /** Whether a firing lies in the arm, if the expectation is bound to one. */
  inStretch(firing: { firedAtMs: number }): boolean;
  firings: readonly Firing[];
  sightings: readonly Sighting[];
  /** The event that the alert must not precede, and its time; `never` if it has not happened. */
  notBefore: { what: string; atMs: number | 'never' } | undefined;
  /**
   * The reason why the condition has no data, such as `no series orders_total`: from the start, or only under the
   * fault.
   */
  gap: { what: string; underFault: boolean } | undefined;
  /** The nearest that its condition came to its threshold. */
  reached?: string | undefined;
  /** The reason why nobody could be notified. */
  trouble: string | undefined;
  theory: TheoryRecord | undefined;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
/** The alert is wrong as written: even a busy machine does not turn a page into a ticket. */
const certainKinds: readonly OutcomeRecord['kind'][] = [
  'wrong-severity',
  'wrong-label',
  'routed-elsewhere',
  'inhibited',
  'muted',
  'silenced',
  'rule-missing',
];
const outcome = (
  kind: OutcomeRecord['kind'],
  text: string,
  certain = certainKinds.includes(kind),
): OutcomeRecord => ({ kind, text, ...(certain && { certain }) });
const articled = (severity: string): string =>
  severity === 'none' ? 'an alert without severity' : `a ${severity}`;

/**
 * The firings that count: they fulfil the expectation, began after the injection and after their cause, and had not
 * resolved when the fault took effect.
 */
export function ownFirings(facts: OutcomeFacts): Firing[] {
  const { notBefore } = facts;
  return fresh(facts).filter(
    (f) =>
      fulfils(f, facts.wanted) &&
      !isBlip(f, facts.confirmedMs) &&
      heldBeforeMs(facts, f) === undefined &&
      (notBefore === undefined || (notBefore.atMs !== 'never' && f.firedAtMs >= notBefore.atMs)),
  );
}

/**
 * How long before the injection the firing's condition began to hold, if it did: `for` ended under the fault by chance,
 * and the fault has no part in it.
 */
function heldBeforeMs({ sightings, injectedMs }: OutcomeFacts, firing: Firing): number | undefined {
  const own = sightings.filter((s) =>
    Object.entries(s.labels).every(([name, value]) => firing.labels[name] === value),
  );
  const starts = own.flatMap((s) => s.startsMs ?? []).filter((ms) => ms <= firing.firedAtMs);
  if (starts.length === 0 || injectedMs === undefined) return undefined;
  const before = injectedMs - Math.max(...starts);
  return before > 0 ? before : undefined;
}

const fresh = ({ firings, injectedMs, inStretch }: OutcomeFacts): Firing[] =>
  firings.filter((f) => injectedMs !== undefined && f.firedAtMs >= injectedMs && inStretch(f));

export function outcomeOf(facts: OutcomeFacts): OutcomeRecord {
  if (facts.injectedMs === undefined) return outcome('not-injected', 'was not put to the test');
  const [own] = ownFirings(facts);
  if (own) return ofReceived(facts, own);
  return (
    alreadyPending(facts) ??
    tooEarly(facts) ??
    onlyBlip(facts) ??
    nobodyWatching(facts) ??
    ruleMissing(facts) ??
    alreadyFiring(facts) ??
    otherReceiver(facts) ??
    ownSighting(facts) ??
    ofOtherFirings(facts) ??
    otherSighting(facts) ??
    ofRules(facts) ??
    inactive(facts)
  );
}

function ofReceived(facts: OutcomeFacts, own: Firing): OutcomeRecord {
  const { wanted, confirmedMs, deadlineMs, theory } = facts;
  if (confirmedMs === undefined) return outcome('notified', 'notified');
  const took = receivedMs(own, wanted.receiver) - confirmedMs;
  const deadline = `its deadline of ${seconds(deadlineMs)}`;
  if (took < 0)
    return outcome('notified', `${seconds(-took)} before the fault was seen to take effect`);
  if (took <= deadlineMs)
    return outcome('notified', `after ${seconds(took)} of ${seconds(deadlineMs)}`);
  // A rule that cannot meet its deadline is a different finding from a rule that was slow this time.
  const tooSlow = theory !== undefined && theory.earliestMs > deadlineMs;
  const cannot = tooSlow
    ? `; in theory its rule cannot fire before ${seconds(theory.earliestMs)}`
    : '';
  return outcome('late', `came after ${seconds(took)}, later than ${deadline}${cannot}`, tooSlow);
}

function tooEarly(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { notBefore } = facts;
  const early = fresh(facts).find((f) => fulfils(f, facts.wanted));
  if (!early || !notBefore) return undefined;
  const { what, atMs } = notBefore;
  return outcome(
    'too-early',
    atMs === 'never'
      ? `fired, though ${what} never happened: it speaks of something else`
      : `fired ${seconds(atMs - early.firedAtMs)} before ${what}: it speaks of something else`,
  );
}

function onlyBlip(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { confirmedMs, wanted } = facts;
  const blip = fresh(facts).find((f) => fulfils(f, wanted) && isBlip(f, confirmedMs));
  if (blip?.resolvedAtMs === undefined) return undefined;
  const lasted = seconds(blip.resolvedAtMs - blip.firedAtMs);
  return outcome(
    'too-early',
    `fired for ${lasted} and resolved before the fault took effect, and not again: it speaks of something else`,
  );
}

const nobodyWatching = ({ trouble }: OutcomeFacts): OutcomeRecord | undefined =>
  trouble === undefined
    ? undefined
    : outcome('nobody-watching', `could not be notified of: ${trouble}`);

const rulesOf = ({ rules, wanted }: OutcomeFacts): AlertingRule[] =>
  rules.filter((r) => r.alert === wanted.alert);

function ruleMissing(facts: OutcomeFacts): OutcomeRecord | undefined {
  if (rulesOf(facts).length > 0) return undefined;
  const near = suggest(
    facts.wanted.alert,
    facts.rules.map((r) => r.alert),
  );
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return outcome('rule-missing', `has no rule: none that is loaded has this name${hint}`);
}

function alreadyFiring(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { firings, injectedMs = Infinity } = facts;
  const before = firings.find(
    (f) =>
      fulfils(f, facts.wanted) &&
      f.firedAtMs < injectedMs &&
      (f.resolvedAtMs === undefined || f.resolvedAtMs >= injectedMs),
  );
  if (!before) return undefined;
  const ago = seconds(injectedMs - before.firedAtMs);
  return outcome('already-firing', `fired ${ago} before the fault, so that it proves nothing`);
}

function alreadyPending(facts: OutcomeFacts): OutcomeRecord | undefined {
  const own = fresh(facts).filter((f) => fulfils(f, facts.wanted));
  const [before] = own.flatMap((f) => heldBeforeMs(facts, f) ?? []);
  if (before === undefined) return undefined;
  return outcome(
    'already-pending',
    `was pending for ${seconds(before)} before the fault, so that its firing proves nothing`,
  );
}

type Labels = Readonly<Record<string, string>>;

/** The label, other than the severity, by which an alert differs from the expected one. */
function labelDifference(labels: Labels, wanted: Labels): string | undefined {
  for (const [name, value] of Object.entries(wanted)) {
    const own = labels[name];
    if (own === value) continue;
    return own === undefined
      ? `without the label ${name}, expected ${name}=${value}`
      : `with ${name}=${own}, expected ${name}=${value}`;
  }
  return undefined;
}

function otherReceiver(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { receiver: _, ...anywhere } = facts.wanted;
  const found = fresh(facts).find((f) => fulfils(f, anywhere));
  return found && routedElsewhere(facts.wanted, Object.keys(found.receipts ?? {}));
}

/** The alert arrived in another form than expected; the firing nearest to the expected one is reported. */
function ofOtherFirings(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { wanted } = facts;
  const same = fresh(facts).filter((f) => f.name === wanted.alert);
  const [other] = same.filter((f) => matches(f, wanted));
  if (other) return wrongSeverity(wanted, other.severity);
  const near = same.find((f) => f.severity === wanted.severity) ?? same[0];
  const difference = near && labelDifference(near.labels, wanted.labels);
  return difference === undefined ? undefined : outcome('wrong-label', `fired ${difference}`);
}

const wrongSeverity = (wanted: Expected, severity = 'none'): OutcomeRecord =>
  outcome(
    'wrong-severity',
    `fired as ${articled(severity)}, expected ${articled(wanted.severity)}` +
      (wakes(wanted.severity) && !wakes(severity) ? ': nobody was woken' : ''),
  );

/** `deaf` describes receivers that notify nobody, such as `a receiver without integrations`. */
function routedElsewhere(
  wanted: Expected,
  receivers: readonly string[],
  deaf?: string,
): OutcomeRecord {
  const to = receivers.length === 0 ? 'nobody' : receivers.map((r) => `'${r}'`).join(' and ');
  if (deaf !== undefined)
    return outcome(
      'routed-elsewhere',
      `fired and was routed to ${to}, ${deaf}: nobody was notified`,
    );
  const not =
    wanted.receiver === undefined ? 'nobody was notified' : `'${wanted.receiver}' was not notified`;
  return outcome('routed-elsewhere', `fired and was routed to ${to}: ${not}`);
}

const sightingsOf = ({ sightings, wanted }: OutcomeFacts): Sighting[] =>
  sightings.filter((s) => s.labels.alertname === wanted.alert);

/** The rules fired the expected alert, and no receiver was notified. */
function ownSighting(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { wanted } = facts;
  const own = sightingsOf(facts).filter(
    (s) =>
      matches({ name: wanted.alert, labels: s.labels }, wanted) &&
      (s.labels.severity ?? 'none') === wanted.severity,
  );
  const fired = own.find((s) => s.firingAtMs !== undefined);
  if (fired) return ofStanding(facts, fired);
  const pending = own.find((s) => s.pendingAtMs !== undefined);
  return pending && pendingOnly(facts, pending);
}

function otherSighting(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { wanted } = facts;
  const other = sightingsOf(facts).find((s) => s.firingAtMs !== undefined);
  if (!other) return undefined;
  const difference = labelDifference(other.labels, wanted.labels);
  return difference === undefined
    ? wrongSeverity(wanted, other.labels.severity)
    : outcome('wrong-label', `fired ${difference}`);
}

function ofStanding({ wanted, deadlineMs }: OutcomeFacts, sighting: Sighting): OutcomeRecord {
  const { standing } = sighting;
  const said = standing?.by;
  const by = said === undefined ? '' : ` by ${said}`;
  switch (standing?.state) {
    case 'inhibited':
      return outcome('inhibited', `fired and was inhibited${by}: nobody was notified`);
    case 'muted':
      return outcome(
        'muted',
        `fired and was muted${said === undefined ? '' : ` (${said})`}: nobody was notified`,
      );
    case 'silenced':
      return outcome('silenced', `fired and was silenced${by}: nobody was notified`);
    case 'routed-elsewhere':
    case 'notified':
      return routedElsewhere(wanted, standing.receivers ?? [], standing.by);
    default:
      return notDelivered(sighting, deadlineMs);
  }
}

function notDelivered(
  { standing, firingAtMs = 0, lastSeenMs }: Sighting,
  deadlineMs: number,
): OutcomeRecord {
  const text = 'fired, and no receiver was notified';
  const waitMs = standing?.waitMs ?? 0;
  if (waitMs < lastSeenMs - firingAtMs) return outcome('not-delivered', text);
  const waits = `its route waits for ${seconds(waitMs)} before it notifies (group_wait)`;
  return outcome('not-delivered', `${text}: ${waits}`, waitMs > deadlineMs);
}

function pendingOnly(
  facts: OutcomeFacts,
  { labels, pendingAtMs = 0, lastSeenMs }: Sighting,
): OutcomeRecord {
  const rule = rulesOf(facts).find((r) => r.labels.severity === labels.severity);
  const was = `was pending for ${seconds(lastSeenMs - pendingAtMs)} and never fired`;
  if (!rule) return outcome('pending', was);
  const { deadlineMs } = facts;
  const why = `its rule waits for ${seconds(rule.forMs)} (for), and its deadline is ${seconds(deadlineMs)}`;
  return outcome('pending', `${was}: ${why}`, rule.forMs > deadlineMs);
}

/** The alert's condition did not hold; if its rules could not match the expectation anyway, that is the finding. */
function ofRules(facts: OutcomeFacts): OutcomeRecord | undefined {
  const { wanted } = facts;
  const rules = rulesOf(facts);
  const severities = [...new Set(rules.map((r) => r.labels.severity ?? 'none'))];
  if (!severities.includes(wanted.severity) && !severities.some((s) => s.includes('{{'))) {
    const found = severities.map(articled).join(' and ');
    return outcome(
      'wrong-severity',
      `is ${found} by its rule, expected ${articled(wanted.severity)}`,
    );
  }
  const { gap } = facts;
  if (!gap) return undefined;
  return gap.underFault
    ? outcome(
        'inactive',
        `did not fire: its data ended under the fault (${gap.what}), so that its rule is blind to it`,
      )
    : outcome('no-data', `has no data to fire on: ${gap.what}`);
}

const inactive = ({ theory, reached }: OutcomeFacts): OutcomeRecord =>
  outcome(
    'inactive',
    'did not fire: its condition never held' +
      (reached === undefined ? '' : `: ${reached}`) +
      (theory === undefined ? '' : `, though ${theory.basis}`),
  );
