/** A made-up but realistic game day: three scenarios on the retail shop, with numbers from one seed. */
import { seededRandom } from '../../base/random.js';
import type {
  AlertRecord,
  AlertRef,
  ClientTotals,
  ExpectationRecord,
  GameDayRecord,
  MeasureRecord,
  PhaseKind,
  PhaseRecord,
  ScenarioRecord,
  SeriesRecord,
  TimelineEvent,
} from '../../runbooks/record.js';

const startMs = Date.UTC(2026, 4, 12, 9, 30, 0);
const at = (seconds: number): number => startMs + Math.round(seconds * 1000);

function client(requests: number, errors: number, p95Ms: number): ClientTotals {
  const checkout = Math.round(requests * 0.4);
  return {
    requests,
    errors,
    p50Ms: p95Ms * 0.31,
    p95Ms,
    p99Ms: p95Ms * 1.7,
    routes: {
      browse: {
        requests: requests - checkout,
        errors: Math.round(errors * 0.07),
        p95Ms: p95Ms * 0.6,
      },
      checkout: { requests: checkout, errors: errors - Math.round(errors * 0.07), p95Ms },
    },
  };
}

const measure = (name: string, value: number, bound: string, unit: string): MeasureRecord => ({
  name,
  source: 'client',
  expr: unit === 'ms' ? 'p95' : 'errorRatio',
  bound,
  unit,
  value,
  held: value <= Number(bound.slice(2)),
});

const phase = (
  kind: PhaseKind,
  start: number,
  end: number,
  totals: ClientTotals,
  arm?: string,
): PhaseRecord => ({
  kind,
  startMs: at(start),
  endMs: at(end),
  client: totals,
  ...(arm === undefined ? {} : { arm }),
});

interface Fired {
  name: string;
  severity: string;
  labels: Record<string, string>;
  from: number;
  to?: number;
  scenario: string;
  expected: boolean;
  summary: string;
}

const fired: Fired[] = [
  {
    name: 'MeshCertificateRenewalOverdue',
    severity: 'page',
    labels: { workload: 'payment', namespace: 'retail' },
    from: 14.9,
    to: 25.6,
    scenario: 'certificate-expiry',
    expected: true,
    summary: "payment's certificate should have been renewed",
  },
  {
    name: 'MeshHandshakesFailing',
    severity: 'page',
    labels: { dst: 'payment.retail', reason: 'expired' },
    from: 19.4,
    to: 27.1,
    scenario: 'certificate-expiry',
    expected: true,
    summary: 'TLS handshakes with payment.retail fail: expired',
  },
  {
    name: 'CheckoutAvailability',
    severity: 'page',
    labels: { slo: 'checkout-availability', service: 'checkout', owner: 'team-shop' },
    from: 18.7,
    to: 29.8,
    scenario: 'certificate-expiry',
    expected: true,
    summary: 'checkout: the error budget of availability burns too fast',
  },
  {
    name: 'CheckoutAvailability',
    severity: 'ticket',
    labels: { slo: 'checkout-availability', service: 'checkout', owner: 'team-shop' },
    from: 20.2,
    to: 46,
    scenario: 'certificate-expiry',
    expected: false,
    summary: 'checkout: the error budget of availability burns too fast',
  },
  {
    name: 'MeshControlPlaneDown',
    severity: 'page',
    labels: { job: 'controller' },
    from: 39.2,
    to: 47.4,
    scenario: 'control-plane-outage',
    expected: true,
    summary: 'no controller answers; proxies serve by what they have',
  },
  {
    name: 'MeshRetryStorm',
    severity: 'page',
    labels: { dst: 'payment.retail' },
    from: 55.3,
    to: 63.9,
    scenario: 'retry-storm',
    expected: true,
    summary: 'retries are 212% of the requests to payment.retail',
  },
  {
    name: 'CheckoutAvailability',
    severity: 'page',
    labels: { slo: 'checkout-availability', service: 'checkout', owner: 'team-shop' },
    from: 56.1,
    to: 76.4,
    scenario: 'retry-storm',
    expected: true,
    summary: 'checkout: the error budget of availability burns too fast',
  },
];

const alertOf = (f: Fired): AlertRecord => ({
  name: f.name,
  labels: { alertname: f.name, severity: f.severity, ...f.labels },
  annotations: { summary: f.summary },
  severity: f.severity,
  firedAtMs: at(f.from - 0.4),
  receivedAtMs: at(f.from),
  ...(f.to === undefined ? {} : { resolvedAtMs: at(f.to) }),
  scenario: f.scenario,
  expected: f.expected,
  facts:
    f.name === 'MeshCertificateRenewalOverdue'
      ? [
          {
            name: 'certificate',
            value: 'payment.retail.serviceaccount.identity.retail.local, expires in 4 s',
            command: 'firedrill controller status --admin http://127.0.0.1:39117',
          },
        ]
      : [],
  runbook: f.name,
});

function expectation(
  f: Fired,
  confirmed: number,
  deadline: number,
  exact: number,
  rollback: number,
) {
  const after = f.from - confirmed;
  const result: ExpectationRecord = {
    name: f.name,
    labels: f.labels,
    severity: f.severity,
    deadlineMs: deadline * 1000,
    firedAfterMs: (after - 0.4) * 1000,
    receivedAfterMs: after * 1000,
    inTime: after <= deadline,
    theory: {
      exactMs: exact * 1000,
      earliestMs: (exact - 0.5) * 1000,
      latestMs: (exact + 1.3) * 1000,
      evaluationIntervalMs: 500,
      within: Math.abs(after - 0.4 - exact) < 1.5,
      basis: 'errors step from 0% to 41% 812 ms after confirmation; 14.4x over 1h and 5m',
    },
    resolve: {
      withinMs: 14_000,
      resolvedAfterMs: ((f.to ?? rollback) - rollback) * 1000,
      inTime: true,
    },
  };
  return result;
}

const refOf = (f: Fired): AlertRef => ({
  name: f.name,
  labels: f.labels,
  severity: f.severity,
  firedAtMs: at(f.from - 0.4),
});

function scenario(
  part: Pick<
    ScenarioRecord,
    'id' | 'title' | 'description' | 'blastRadius' | 'phases' | 'faults' | 'expectations'
  > &
    Partial<ScenarioRecord>,
): ScenarioRecord {
  const first = part.phases[0] as PhaseRecord;
  const last = part.phases.at(-1) as PhaseRecord;
  const rollback = part.phases.find((p) => p.kind === 'rollback') as PhaseRecord;
  const steady = (p95: number): MeasureRecord[] => [
    measure('errors', 0.0008, '<= 0.01', 'ratio'),
    measure('p95 of checkout', p95, '<= 300', 'ms'),
  ];
  return {
    file: `chaos/scenarios/${part.id}.yaml`,
    startedMs: first.startMs,
    endedMs: last.endMs,
    hypothesis: {
      title: 'Customers can browse and check out',
      before: steady(48.2),
      during: [],
      after: steady(51.9),
    },
    ...(part.faults[0]?.confirmedMs === undefined
      ? {}
      : { confirmedMs: part.faults[0].confirmedMs }),
    allowed: [],
    unexpected: [],
    alreadyFiring: [],
    checks: [],
    arms: [],
    rollback: { done: true, startedMs: rollback.startMs, endedMs: rollback.endMs, residue: [] },
    client: client(2640, 214, 61),
    budgetSpent: [
      { slo: 'checkout-availability', ratio: 0.062 },
      { slo: 'payment-availability', ratio: 0.011 },
    ],
    runbook: part.id,
    verdict: 'PASS',
    reasons: [],
    ...part,
  };
}

function scenarios(): ScenarioRecord[] {
  const one = (i: number): Fired => fired[i] as Fired;
  return [
    scenario({
      id: 'certificate-expiry',
      title: 'Certificates stop being renewed',
      failureMode: 'F3',
      description:
        'The issuer refuses every request. Workload certificates of 8 s lapse one after the ' +
        'other, and handshakes fail.',
      blastRadius: 'every call between services of retail',
      phases: [
        phase('baseline', 4, 10, client(720, 0, 47)),
        phase('injection', 10, 11.2, client(144, 0, 48)),
        phase('fault', 11.2, 22, client(1296, 211, 66)),
        phase('rollback', 22, 22.4, client(48, 3, 60)),
        phase('recovery', 22.4, 32, client(1152, 0, 50)),
      ],
      faults: [
        {
          id: 'f-1',
          kind: 'identity-freeze',
          target: 'controller',
          description: 'refuses certificate requests',
          requestedMs: at(10),
          confirmedMs: at(11.2),
          endedMs: at(22.3),
          effect: 17,
          effectUnit: 'certificate requests refused',
          undo: 'done',
        },
      ],
      onsetMs: at(15.6),
      expectations: [
        expectation(one(0), 11.2, 8, 3.1, 22.4),
        expectation(one(1), 11.2, 12, 7.6, 22.4),
        expectation(one(2), 11.2, 12, 6.8, 22.4),
      ],
      allowed: [refOf(one(3))],
    }),
    scenario({
      id: 'control-plane-outage',
      title: 'The control plane dies',
      failureMode: 'F1',
      description: 'The controller is killed. Proxies serve on by the last state they had.',
      blastRadius: 'no request; no change reaches a proxy',
      phases: [
        phase('baseline', 32, 35, client(360, 0, 49)),
        phase('injection', 35, 35.3, client(36, 0, 49)),
        phase('fault', 35.3, 44, client(1044, 0, 50)),
        phase('rollback', 44, 45.1, client(132, 0, 52)),
        phase('recovery', 45.1, 50, client(588, 0, 50)),
      ],
      faults: [
        {
          id: 'f-2',
          kind: 'kill',
          target: 'controller',
          description: 'SIGKILL; not started again until the rollback',
          requestedMs: at(35),
          confirmedMs: at(35.3),
          endedMs: at(45.1),
          effect: 4,
          effectUnit: 'proxies without a controller',
          undo: 'done',
        },
      ],
      expectations: [expectation(one(4), 35.3, 6, 3.2, 45.1)],
      checks: [
        { name: 'no request failed', held: true, detail: '0 of 1,044 requests while it was down' },
        {
          name: 'new configuration does not roll out',
          held: true,
          detail: 'canary weight still 0% at all 4 proxies 3 s after it was changed',
        },
        {
          name: 'a proxy restarted meanwhile serves',
          held: true,
          detail: 'cart proxy ready in 412 ms, by the state in its cache',
        },
      ],
      client: client(2160, 0, 50),
      budgetSpent: [
        { slo: 'checkout-availability', ratio: 0 },
        { slo: 'payment-availability', ratio: 0 },
      ],
    }),
    scenario({
      id: 'retry-storm',
      title: 'Retries feed an overload',
      failureMode: 'F4',
      description:
        'Payment turns slow and fails a third of its answers, under a policy of three retries ' +
        'without a budget; then the same with a budget of 20% and backoff.',
      blastRadius: 'checkout and payment',
      phases: [
        phase('baseline', 50, 53, client(360, 0, 50)),
        phase('injection', 53, 53.4, client(48, 2, 90), 'no budget'),
        phase('fault', 53.4, 60, client(792, 340, 1240), 'no budget'),
        phase('rollback', 60, 60.2, client(24, 8, 900), 'no budget'),
        phase('recovery', 60.2, 66, client(696, 40, 410), 'no budget'),
        phase('injection', 66, 66.3, client(36, 0, 60), 'budget and backoff'),
        phase('fault', 66.3, 72, client(684, 96, 380), 'budget and backoff'),
        phase('rollback', 72, 72.2, client(24, 1, 120), 'budget and backoff'),
        phase('recovery', 72.2, 78, client(696, 0, 55), 'budget and backoff'),
      ],
      faults: [
        {
          id: 'f-3',
          kind: 'slow-dependency',
          target: 'payment',
          description: 'answers after 250 ms more, 35% of them 503',
          requestedMs: at(53),
          confirmedMs: at(53.4),
          endedMs: at(60.1),
          effect: 1904,
          effectUnit: 'answers delayed or failed',
          undo: 'done',
        },
        {
          id: 'f-4',
          kind: 'slow-dependency',
          target: 'payment',
          description: 'the same, under the other policy',
          requestedMs: at(66),
          confirmedMs: at(66.3),
          endedMs: at(72.1),
          effect: 611,
          effectUnit: 'answers delayed or failed',
          undo: 'done',
        },
      ],
      onsetMs: at(53.6),
      expectations: [
        expectation(one(5), 53.4, 5, 1.5, 60.2),
        expectation(one(6), 53.4, 8, 2.2, 60.2),
      ],
      arms: [
        {
          name: 'no budget',
          description: '3 retries, no budget, no backoff',
          triggerStartMs: at(53.4),
          triggerEndMs: at(60.1),
          amplificationDuring: 3.12,
          amplificationAfter: 1.84,
          goodputBefore: 48,
          goodputAfter: 47.1,
          recoveredAfterMs: 3900,
          verdict: 'recovered',
        },
        {
          name: 'budget and backoff',
          description: '3 retries, budget 20%, backoff 25 ms to 250 ms',
          triggerStartMs: at(66.3),
          triggerEndMs: at(72.1),
          amplificationDuring: 1.21,
          amplificationAfter: 1,
          goodputBefore: 48,
          goodputAfter: 48.2,
          recoveredAfterMs: 400,
          verdict: 'recovered',
        },
      ],
      client: client(3360, 487, 712),
      budgetSpent: [
        { slo: 'checkout-availability', ratio: 0.2 },
        { slo: 'payment-availability', ratio: 0.171 },
      ],
    }),
  ];
}

/** The strength of the fault at that time, 0 to 1. */
function bite(t: number): number {
  if (t > 15.6 && t < 22.8) return Math.min(1, (t - 15.6) / 2) * 0.6;
  if (t > 53.6 && t < 63) return t < 60.2 ? 1 : 1 - (t - 60.2) / 2.8;
  if (t > 66.5 && t < 72.4) return 0.32;
  return 0;
}

const storm = (t: number): number => (t > 53.6 && t < 64 ? bite(t) : 0);

function series(): SeriesRecord[] {
  const random = seededRandom(7);
  const line = (
    panel: SeriesRecord['panel'],
    name: string,
    unit: SeriesRecord['unit'],
    value: (t: number, noise: number) => number | null,
    source: SeriesRecord['source'] = 'client',
  ): SeriesRecord => {
    const points: SeriesRecord['points'] = [];
    for (let t = 2; t <= 78; t += 0.5) points.push([at(t), value(t, random.next() - 0.5)]);
    return { panel, name, unit, source, points };
  };
  let slow = 0;
  let slower = 0;
  return [
    line('success', 'browse', 'ratio', (t, n) => Math.min(1, 1 - bite(t) * 0.05 + n * 0.002)),
    line('success', 'checkout', 'ratio', (t, n) =>
      Math.min(1, 1 - bite(t) * 0.7 + n * bite(t) * 0.1),
    ),
    line('latency', 'browse', 'ms', (t, n) => 31 + storm(t) * 90 + n * 6),
    line(
      'latency',
      'checkout',
      'ms',
      (t, n) => 49 + storm(t) * 1190 + (t > 66 ? bite(t) * 800 : 0) + n * 12,
    ),
    line(
      'retries',
      'checkout to payment',
      'ratio',
      (t, n) => Math.max(0, storm(t) * 2.1 + (t > 66 ? bite(t) * 0.6 : 0) + n * 0.01),
      'proxies',
    ),
    line(
      'burn',
      'checkout-availability',
      'x',
      (t) => (slow += (bite(t) * 130 - slow) * 0.16),
      'proxies',
    ),
    line(
      'burn',
      'payment-availability',
      'x',
      (t) => (slower += (bite(t) * 90 - slower) * 0.11),
      'proxies',
    ),
    line('load', 'all routes', 'per second', (_, n) => 120 + n * 3),
    line(
      'certificates',
      'payment',
      's',
      (t) => (t < 10 || t > 23 ? 8 - (t % 5) : Math.max(-4, 18 - t)),
      'proxies',
    ),
  ];
}

function timeline(): TimelineEvent[] {
  const event = (
    t: number,
    source: TimelineEvent['source'],
    subject: string,
    text: string,
    major = true,
    scenarioId?: string,
  ): TimelineEvent => ({
    atMs: at(t),
    source,
    subject,
    text,
    major,
    ...(scenarioId === undefined ? {} : { scenario: scenarioId }),
  });
  const id = ['certificate-expiry', 'control-plane-outage', 'retry-storm'];
  return [
    event(
      0.4,
      'runner',
      'game day',
      'started 4 services, 4 proxies, a controller, Prometheus and Alertmanager',
    ),
    event(2, 'client', 'k6', '120 requests a second', false),
    event(3.1, 'deployment', 'catalog', 'version 1.4.2 rolled out', true),
    event(10, 'runner', 'controller', 'asked to refuse certificate requests', true, id[0]),
    event(11.2, 'certificate', 'cart', 'renewal refused: frozen by a drill', true, id[0]),
    event(11.9, 'certificate', 'payment', 'renewal refused: frozen by a drill', false, id[0]),
    event(14.9, 'alert', 'MeshCertificateRenewalOverdue', 'received, page', true, id[0]),
    event(
      15.6,
      'proxy',
      'cart proxy',
      'handshake with payment.retail failed: certificate expired',
      true,
      id[0],
    ),
    event(18.7, 'alert', 'CheckoutAvailability', 'received, page', true, id[0]),
    event(22.3, 'runner', 'controller', 'issues certificates again', true, id[0]),
    event(22.9, 'certificate', 'payment', 'renewed', true, id[0]),
    event(35.3, 'controller', 'controller', 'killed', true, id[1]),
    event(39.2, 'alert', 'MeshControlPlaneDown', 'received, page', true, id[1]),
    event(45.1, 'controller', 'controller', 'ready; 4 proxies connected', true, id[1]),
    event(53.4, 'runner', 'payment', '35% of answers fail, all are 250 ms later', true, id[2]),
    event(55.3, 'alert', 'MeshRetryStorm', 'received, page', true, id[2]),
    event(60.1, 'runner', 'payment', 'answers as before', true, id[2]),
    event(66.3, 'runner', 'payment', 'the same fault again, now with a retry budget', true, id[2]),
    event(72.1, 'runner', 'payment', 'answers as before', true, id[2]),
  ];
}

/** A good game day for demonstrations: everything went as expected. */
export function goodGameDay(): GameDayRecord {
  return {
    version: 1,
    id: '2026-05-12T09-30-00-7f3a',
    title: 'Game day: retail',
    command: 'firedrill gameday run',
    firedrillVersion: '0.1.0',
    startedMs: startMs,
    endedMs: at(79.2),
    verdict: 'PASS',
    exitCode: 0,
    timeScale: { factor: 1 / 240, text: '1/240', hourMs: 15_000 },
    measurement: {
      kind: 'prometheus',
      prometheusVersion: '2.42.0',
      alertmanagerVersion: '0.25.0',
      scrapeIntervalMs: 500,
      evaluationIntervalMs: 500,
      deliveryAllowanceMs: 1500,
    },
    load: {
      kind: 'k6',
      version: '1.1.0',
      requestsPerSecond: 120,
      measuredFrom: 'intended start',
      dropped: 0,
      total: client(9120, 701, 214),
    },
    system: {
      name: 'retail',
      trustDomain: 'retail.local',
      services: [
        { name: 'web', namespace: 'retail', replicas: 1, calls: ['cart', 'catalog'] },
        { name: 'cart', namespace: 'retail', replicas: 1, calls: ['payment'] },
        { name: 'catalog', namespace: 'retail', replicas: 1, calls: [] },
        { name: 'payment', namespace: 'retail', replicas: 1, calls: [] },
      ],
      processes: [{ name: 'controller', kind: 'controller', pid: 4711, ports: { admin: 39117 } }],
      certificateLifetimeMs: 8000,
      sections: [
        {
          title: 'Payments',
          rows: [
            { name: 'charges', value: 2944 },
            { name: 'repeats answered from their key', value: 311 },
            { name: 'double charges', value: 0 },
          ],
          figure: { name: 'Double charges', value: 0, note: 'of 2,944 charges' },
        },
      ],
    },
    scenarios: scenarios(),
    series: series(),
    alerts: fired.map(alertOf).sort((a, b) => a.firedAtMs - b.firedAtMs),
    timeline: timeline(),
    budgets: [
      {
        slo: 'checkout-availability',
        service: 'checkout',
        objective: 99.5,
        total: 3648,
        bad: 652,
        spentRatio: 35.7,
        spentOfPeriodRatio: 0.262,
      },
      {
        slo: 'payment-availability',
        service: 'payment',
        objective: 99.9,
        total: 5210,
        bad: 129,
        spentRatio: 24.8,
        spentOfPeriodRatio: 0.182,
      },
      {
        slo: 'checkout-latency',
        service: 'checkout',
        objective: 99,
        total: 3648,
        bad: 14,
        spentRatio: 0.38,
        spentOfPeriodRatio: 0.003,
      },
    ],
    machine: { platform: 'linux x64', cpus: 2, memoryBytes: 8_321_000_000, node: 'v22.11.0' },
  };
}

/** The same day with problems: one page was late, another never came, one was unexpected, and a fault was left. */
export function badGameDay(): GameDayRecord {
  const record = goodGameDay();
  const [first, second, third] = record.scenarios as [
    ScenarioRecord,
    ScenarioRecord,
    ScenarioRecord,
  ];
  const late = first.expectations[2] as ExpectationRecord;
  Object.assign(late, { receivedAfterMs: 14_300, firedAfterMs: 13_900, inTime: false });
  const missing = second.expectations[0] as ExpectationRecord;
  delete missing.receivedAfterMs;
  delete missing.firedAfterMs;
  delete missing.resolve;
  missing.inTime = false;
  record.alerts = record.alerts.filter((a) => a.name !== missing.name);
  first.unexpected = [
    { name: 'MeshClockSkew', labels: { workload: 'cart' }, severity: 'ticket', firedAtMs: at(17) },
  ];
  Object.assign(first, {
    verdict: 'FAIL',
    reasons: [
      'CheckoutAvailability came 2.3 s after its deadline of 12 s',
      'MeshClockSkew fired and nobody expected it',
    ],
  });
  Object.assign(second, {
    verdict: 'FAIL',
    reasons: ['MeshControlPlaneDown never fired; its deadline was 6 s'],
  });
  Object.assign(third, {
    verdict: 'ABORTED',
    reasons: ['aborted after 3.1 s: errors of browse above 20%'],
    abort: { condition: 'errors of browse above 20%', atMs: at(56.5) },
    rollback: { done: false, residue: ['payment: fault f-3 is still there'] },
  });
  return { ...record, verdict: 'ABORTED', exitCode: 4 };
}
