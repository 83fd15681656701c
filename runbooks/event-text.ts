/** The text of a drill's event, the same in a terminal and in a browser. */
import type { DrillEvent } from './events.js';

const faultWords = { put: 'begins', confirmed: 'takes effect', removed: 'is removed' };

/** `MeshProxyDown (ticket) notified after 1.6 s`: an event on one line, without its time. */
export function eventText(e: DrillEvent): string {
  switch (e.kind) {
    case 'day':
      return e.state === 'started' ? e.title : `${e.verdict ?? 'ended'}: ${e.title}`;
    case 'scenario':
      return e.state === 'started'
        ? `▶ ${e.title}`
        : [`${e.verdict ?? 'ended'}: ${e.title}`, ...(e.reasons ?? [])].join('; ');
    case 'phase':
      return `phase ${e.phase}${e.arm === undefined ? '' : ` (${e.arm})`} ${e.state}`;
    case 'fault':
      return `fault ${e.id} on ${e.target} ${faultWords[e.state]}`;
    case 'expectation':
      return `${e.alert} (${e.severity}) ${expectationText(e)}`;
    case 'alert':
      return `${e.alert} (${e.severity}) ${e.state}${e.receiver === undefined ? '' : ` ${e.receiver}`}`;
    case 'theory':
      return `${e.alert} (${e.severity}) ${theoryText(e)}`;
    case 'system':
      return `${e.name}: ${e.services.join(', ')}`;
    case 'load':
      return `${e.requests} requests, ${e.errors} failed, p95 ${e.p95Ms.toFixed(0)} ms`;
    case 'measure':
      return `${e.name} ${e.when} the fault: ${e.value ?? 'no data'}, wanted ${e.bound}${e.held ? '' : ', not held'}`;
    case 'abort':
      return `abort condition: ${e.condition}`;
    case 'distance': {
      const bound = e.above === undefined ? `below ${e.below}` : `above ${e.above}`;
      return `abort condition ${e.condition}: ${e.value ?? 'no data'}, aborts ${bound}`;
    }
    case 'budget':
      return `${e.slo}: ${(100 * e.spentOfPeriod).toFixed(2)}% of the period's budget spent`;
    case 'acknowledgement':
      return `${e.by} acknowledges ${e.alert ?? 'the last page'}`;
    case 'scenario-record':
      return `what was measured of ${e.scenario}`;
    case 'day-record':
      return 'what was measured of the day';
    case 'note':
      return `${e.subject}: ${e.text}`;
  }
}

function expectationText(e: Extract<DrillEvent, { kind: 'expectation' }>): string {
  if (e.state === 'armed') {
    const left = e.deadlineAtMs === undefined ? '' : ` within ${seconds(e.deadlineAtMs - e.atMs)}`;
    const hidden = e.withheld && `, ${withheldWords(e.withheld)}`;
    return `is awaited${left}${hidden ?? ''}`;
  }
  if (e.state === 'notified') {
    const { afterMs = 0 } = e;
    return afterMs >= 0
      ? `came after ${seconds(afterMs)}`
      : `came ${seconds(-afterMs)} before the fault was seen to take effect`;
  }
  return e.text ?? 'was missed';
}

/** The state that the scenario expects of an alert: `inhibited by MeshControlPlaneDown`. */
export const withheldWords = ({
  how,
  by,
}: NonNullable<Extract<DrillEvent, { kind: 'expectation' }>['withheld']>): string =>
  `${how} by ${by}`;

function theoryText(e: Extract<DrillEvent, { kind: 'theory' }>): string {
  if (e.within !== undefined)
    return e.within ? 'fired when expected' : 'did not fire when expected';
  const from = e.armedAtMs ?? e.atMs;
  return `expected after ${seconds(e.earliestAtMs - from)} to ${seconds(e.latestAtMs - from)}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
