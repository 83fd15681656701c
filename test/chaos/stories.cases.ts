/** The drills of stories.test.ts: how a run goes on, and how it ends. */
import type { ProcessEvent } from '../../chaos/system/model.js';
import type { Firing } from '../../runbooks/record.js';
import type { RunbookProof } from '../../chaos/runner/runbook-proof.js';
import { cartErrors, errorsExpr, type Mutation, scenarioText } from './small-drill.js';

/** The fault is active from about 102 s to 103.6 s of a usual drill. */
const amidMs = 102_700;

const rich = `apiVersion: firedrill.dev/v1
kind: Scenario
id: rich
title: Much at once
description: Several faults, steps and checks.
failureMode: F9
blastRadius: carts
runbook: killed-pod
baseline: 1s
hypothesis:
  title: well
  measures:
    - { name: errors, client: errorRatio, atMost: 0.01 }
    - { name: rate, client: requestsPerSecond, route: buy, atLeast: 10, unit: /s, throughout: true }
    - { name: buys, promql: 'sum(rate(requests_total[500ms]))', atLeast: 1 }
faults:
  - { id: blind, kind: scrape-loss, target: prometheus, start: 800ms }
  - { id: dead, kind: kill, target: cart, start: 400ms, stop: 2s }
  - { id: slow, kind: delay, target: cart, ramp: 1s, settings: { delayMs: 100 } }
steps:
  - { at: 1s, restart: cart, name: cart returns }
  - { at: 500ms, publish: true }
  - { at: 700ms, restart: gone }
  - { at: 1200ms, restart: cart }
fault: { atLeast: 3s, atMost: 5s }
recovery: 4s
expect:
  mustFire:
    - alert: CartErrors
      within: 2s
      resolveWithin: 4s
      theory: for
      since: first-error
      mayMissTheory: a small rig
      notBefore: { fault: dead }
    - { alert: CartTicket, severity: ticket, within: 2s, notBefore: { exit: cart } }
    - { alert: CartLater, severity: ticket, within: 1s, notBefore: { alert: CartErrors } }
    - { alert: CartTheory, severity: none, within: 1s, notBefore: { exit: nobody },
        theory: { ratio: 0.05, windows: [1s], value: 'vector(0.5)' },
        since: { promql: 'min(vector(101))' } }
  mustNotFire: [{ alert: Never }]
  mayFire: [{ alert: Other, why: a consequence }]
  mayEnd: [{ process: helper, why: it may }]
checks:
  - { name: few fail, client: errorRatio, route: buy, atMost: 0.9 }
  - { name: of all, promql: 'max(requests_total)', phase: all, atLeast: 1000 }
  - { name: sold, counter: { service: cart, name: sold }, atLeast: 5 }
  - { name: unknown, counter: { service: cart, name: none }, atMost: 5, phase: recovery }
  - { name: kept back, rollout: withheld }
  - { name: arrives, rollout: arrives, phase: recovery }
  - { name: no data, promql: none, atMost: 5 }
  - { name: bad, promql: 'requests_total * on () requests_total', atMost: 5 }
hints: [{ text: look at the cart, after: 500ms }, { text: ask the cart }]
abort:
  - { name: down, client: p99Ms, above: 100000 }
  - { name: idle, promql: 'sum(rate(requests_total[500ms]))', below: 0.5, noData: ignore }
`;

const severity = (level?: string) => ({
  labels: (level === undefined ? {} : { severity: level }) as Record<string, string>,
});

const ended = (process: string, atMs: number, more: Partial<ProcessEvent> = {}): ProcessEvent => ({
  process,
  atMs,
  event: 'exited',
  ...more,
});

const refused = (): never => {
  throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
};

/** A runbook's proof whose page is followed by `mitigate`. */
const proofOf = (parts: Partial<RunbookProof>): RunbookProof =>
  ({
    hasMitigation: true,
    ask: () => Promise.resolve(),
    mitigate: () => Promise.resolve(),
    ended: () => undefined,
    notTried: () => undefined,
    withoutItsOwn: (firings: readonly Firing[]) => [...firings],
    record: { page: 'killed-pod', diagnosis: [], mitigation: { steps: [] } },
    ...parts,
  }) as unknown as RunbookProof;

/** Each story by the name of its golden file. */
export const stories: Record<string, () => Mutation> = {
  usual: () => ({}),

  rich: () => ({
    text: rich,
    rules: [
      cartErrors(),
      cartErrors({ alert: 'CartTicket', ...severity('ticket') }),
      cartErrors({ alert: 'CartLater', forMs: 700, ...severity('ticket') }),
      cartErrors({ alert: 'CartTheory', ...severity() }),
      cartErrors({ alert: 'Other', ...severity('info') }),
    ],
    events: () => [
      ended('helper', 102_100),
      ended('cart', 102_500, { event: 'killed' }),
      ended('cart', 99_000, { event: 'killed' }),
      ended('db', 102_600, { detail: 'ended with 1: Error: no disk' }),
      ended('db', 102_900),
    ],
    answer: (_, url, leases) => {
      if (!url.endsWith('/config')) return undefined;
      return [200, { version: leases.size > 0 ? 'app-r3' : 'app-r4' }];
    },
    system: {
      publish: () => Promise.resolve(4),
      restart: (name) =>
        name === 'cart' ? Promise.resolve() : Promise.reject(new Error(`no process ${name}`)),
      counters: (service) => Promise.resolve(service === 'cart' ? { sold: 7 } : {}),
    },
    context: (clock) => {
      const put = () => Promise.resolve(3);
      return {
        local: { 'local:scrape': { put, remove: () => Promise.resolve() } },
        hints: {
          asked: (nowMs) => (nowMs >= 103_000 && nowMs < 103_200 ? ['sre'] : []),
          tell: () => undefined,
        },
        watchedSinceMs: clock.nowMs() - 1000,
      };
    },
  }),

  // A step that takes long, and one that fails, are waited for; a part leaves its holder by itself.
  steps: () => {
    let sleep: (ms: number) => Promise<void> = () => Promise.resolve();
    return {
      text: rich.replace(
        'blind, kind: scrape-loss, target: prometheus, start: 800ms',
        'late, kind: kill, target: cart, start: 6s',
      ),
      system: {
        restart: async (name) => {
          await sleep(name === 'cart' ? 1700 : 100);
          if (name !== 'cart') throw new Error(`no process ${name}`);
        },
        publish: () => Promise.reject(new Error('the registry is closed')),
      },
      context: (_, usual) => {
        sleep = (ms) => usual.sleep(ms);
        return {};
      },
    };
  },

  'no-effect': () => ({ harmless: true }),
  'late-effect': () => ({ lateEffect: true }),
  'undo-fails': () => ({ undoStatus: 500 }),
  'undo-lapsed': () => ({ undoStatus: 404 }),
  'undo-refused': () => ({ answer: (method) => (method === 'DELETE' ? refused() : undefined) }),
  'residue-left': () => ({
    answer: (method, _, leases) => {
      if (method !== 'DELETE') return undefined;
      leases.set('other-run', { id: 'other-run', effect: 1 });
      return [200, {}];
    },
  }),
  'put-refused': () => ({ answer: (method) => (method === 'POST' ? [400, 'no'] : undefined) }),
  'holder-dies': () => {
    let isDead = false;
    return {
      answer: (method, url) => {
        if (method === 'DELETE') isDead = true;
        return isDead && url.includes('/faults') ? refused() : undefined;
      },
      events: () => [ended('cart', 103_000, { detail: 'ended with 1' })],
    };
  },
  'faults-unreadable': () => ({
    answer: (method) => (method === 'GET' ? [500, 'broken'] : undefined),
  }),

  aborted: () => ({
    scenario: (text) =>
      text
        .replace('above: 100000', 'above: 0.1, for: 400ms')
        .replace('client: p99Ms', 'client: errorRatio'),
  }),
  'aborted-below': () => ({
    scenario: (text) =>
      text.replace(
        'client: p99Ms, above: 100000',
        'promql: \'sum(rate(requests_total{code="200"}[500ms]))\', below: 5',
      ),
  }),
  'kill-switch': () => ({
    context: (clock) => ({
      stopSwitch: () => (clock.nowMs() < amidMs ? undefined : { reason: 'enough', atMs: 1 }),
    }),
  }),
  interrupted: () => ({
    context: (clock) => {
      const ending = new AbortController();
      clock.after(amidMs - clock.nowMs(), () => ending.abort());
      return { signal: ending.signal };
    },
  }),
  'interrupted-early': () => ({
    context: () => ({ signal: AbortSignal.abort() }),
  }),
  'system-gone': () => ({
    context: (clock) => ({
      systemGone: () => (clock.nowMs() < amidMs ? undefined : 'the supervisor ended'),
    }),
  }),
  'load-ends': () => ({
    context: (clock, { load }) => ({
      load: Object.defineProperty({ ...load }, 'failure', {
        get: () => (clock.nowMs() < amidMs ? undefined : 'the driver ended'),
      }),
    }),
  }),
  'recovery-stopped': () => ({
    context: (clock) => ({
      stopSwitch: () => (clock.nowMs() < 104_000 ? undefined : { reason: 'late', atMs: 1 }),
    }),
  }),
  'never-steady': () => ({
    system: {
      description: {
        processes: [{ name: 'cart', kind: 'service', pid: 0, ports: {} }],
        workloads: [],
        relays: [],
      } as never,
    },
  }),
  'steady-later': () => ({
    context: (clock, { system }) => ({
      system: {
        ...system,
        get description() {
          const pid = clock.nowMs() < 102_500 ? 0 : 1;
          const processes = [{ name: 'cart', kind: 'service', pid, ports: {} }];
          return { ...system.description, processes };
        },
      },
    }),
  }),
  unscraped: () => ({
    unscraped: true,
    rules: [
      cartErrors({ alert: 'Never', expr: 'vector(0) > 1' }),
      { kind: 'record', record: 'cart:errors', expr: errorsExpr, labels: { severity: 'page' } },
      cartErrors({ expr: 'cart:errors > 0.05' }),
    ],
  }),
  'late-answers': () => ({
    rules: [cartErrors({ alert: 'Never', expr: 'vector(0) > 1' }), cartErrors({ forMs: 60_000 })],
    scenario: (text) => text.replace('atMost: 0.01 }', 'atMost: 0.99, throughout: true }'),
    context: (_, { load }) => ({ load: { ...load, lagMs: 300 } }),
  }),
  'nothing-throughout': () => ({ context: (_, { load }) => ({ load: { ...load, lagMs: 300 } }) }),
  'no-load': () => ({ noLoad: true }),
  'never-alone': () => ({
    rules: [cartErrors({ expr: 'vector(1)', labels: { severity: 'ticket' } })],
  }),
  'does-not-resolve': () => ({ rules: [cartErrors({ keepFiringForMs: 60_000 })] }),
  'watch-broken': () => ({
    context: (_, { watch }) => ({
      watch: new Proxy(watch, {
        get(target, name) {
          if (name === 'alerts' || name === 'query') return () => Promise.reject(new Error('down'));
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      }),
    }),
  }),

  // Callers fail and nobody is woken.
  silent: () => ({
    rules: [cartErrors({ labels: { severity: 'ticket' } })],
    scenario: (text) => text.replace('atLeast: 1s500ms, atMost: 3s', 'atMost: 5s'),
    context: (_, { timing }) => ({ timing: { ...timing, allowanceMs: 100, timeScale: 1 } }),
  }),
  'silent-scaled': () => ({
    rules: [cartErrors({ labels: { severity: 'ticket' } })],
    scenario: (text) =>
      text.replace(
        /(baseline|atLeast|atMost|recovery|within|resolveWithin): (\d+)s(500ms)?/g,
        '$1: $20m',
      ),
    context: (_, { timing }) => ({ timing: { ...timing, allowanceMs: 100, timeScale: 1 / 600 } }),
  }),

  'page-followed': () => ({
    context: () => ({
      proof: proofOf({ mitigate: (_, spoken) => Promise.resolve(spoken('restart cart')) }),
    }),
  }),
  'page-empty': () => ({ context: () => ({ proof: proofOf({ hasMitigation: false } as never) }) }),
  'guard-refuses': () => ({
    guard: {
      refusals: () => Promise.resolve(['an incident is open']),
      excess: () => undefined,
    },
  }),
  'guard-narrows': () => ({
    guard: {
      refusals: () => Promise.resolve([]),
      excess: () => ({
        field: 'maxServices' as const,
        text: '2 services are struck',
        place: { file: 'firedrill.yaml', line: 3, column: 5 },
      }),
    },
  }),

  arms: () => ({
    text: scenarioText()
      .replace(
        /faults:\n.*\nfault: .*\n/,
        `arms:
  trigger: [{ id: dead, kind: kill, target: cart }]
  triggerFor: 1s500ms
  observeFor: 4s
  goodput: { route: buy, backTo: 0.9 }
  amplification: { requests: cart.requests, tries: cart.tries }
  runs:
    - { name: plain, description: as it is, expect: recovered }
    - name: patient
      description: with a policy
      faults: [{ id: policy, kind: delay, target: cart, settings: { delayMs: 10 } }]
`,
      )
      .replace('alert: CartErrors,', 'alert: CartErrors, arm: plain,'),
    system: {
      counters: () => Promise.resolve({ requests: 10, tries: 20 }),
    },
  }),
};
