/** The format of a scenario; README.md explains it, and `firedrill gameday schema` prints it for editors. */
import * as z from 'zod';
import { faultKindNames } from '../faults/kinds.js';
import { noFaultKind } from '../faults/other-names.js';
import { duration, identifier, isOneOf, text, what } from './fields.js';

const measure = z
  .strictObject({
    name: text,
    ...what,
    atMost: z.number().optional(),
    atLeast: z.number().optional(),
    unit: z.string().default(''),
    throughout: z
      .boolean()
      .default(false)
      .describe('holds while the fault is on, too: the claim that nobody notices'),
  })
  .refine(isOneOf, { error: 'expected either client or promql' })
  .refine((m) => (m.atMost === undefined) !== (m.atLeast === undefined), {
    error: 'expected either atMost or atLeast',
  });

const fault = z.strictObject({
  id: identifier,
  kind: z.enum(faultKindNames, { error: ({ input }) => noFaultKind(input) }),
  target: text.describe('a service, a workload, a process, controller or registry'),
  start: duration.default(0).describe('after the fault phase begins'),
  stop: duration.optional().describe('after the fault phase begins; default: at its end'),
  ramp: duration
    .optional()
    .describe('over so long it grows to its settings; default: it is there at once'),
  settings: z.record(z.string(), z.unknown()).default({}),
});

const step = z
  .strictObject({
    at: duration.default(0).describe('after the fault phase begins'),
    restart: text.optional().describe('a process is stopped (it drains) and started again'),
    publish: z.literal(true).optional().describe('new configuration is published'),
    name: text.optional(),
  })
  .refine((s) => (s.restart === undefined) !== (s.publish === undefined), {
    error: 'expected either restart or publish',
  });

const theory = z.union([
  z.enum(['slo', 'for', 'none']),
  z.strictObject({
    ratio: z.number().positive(),
    windows: z.array(duration).min(1),
    value: text.describe('PromQL for the ratio that was reached'),
  }),
]);

const notBefore = z.union([
  z.strictObject({ exit: text.describe('a process of the system that dies') }),
  z.strictObject({ alert: text.describe('another alert, which fires first') }),
  z.strictObject({
    fault: identifier.describe('the id of a fault of this scenario, which takes effect'),
  }),
]);

const expected = z
  .strictObject({
    alert: text,
    labels: z.record(z.string(), z.string()).default({}),
    severity: text
      .default('page')
      .describe("the rule's severity label: page, ticket, critical; none where it has none"),
    within: duration.describe('from the confirmed injection to the receiver'),
    resolveWithin: duration
      .optional()
      .describe('from the end of the rollback; absent: it need not'),
    since: z
      .union([
        z.enum(['confirmed', 'first-error']),
        z.strictObject({ promql: text.describe('seconds since the epoch') }),
      ])
      .default('confirmed')
      .describe('what the theory counts from; the deadline always counts from the confirmation'),
    theory: theory
      .default('none')
      .describe('slo: the multi-window rule of the SLO; for: the condition holds at once'),
    arm: text.optional().describe('while this arm ran; default: at any time'),
    receiver: text.optional().describe('which receiver must be notified; default: any'),
    inhibitedBy: text
      .optional()
      .describe('the alert that hides it: it must fire by its rule, and nobody must be notified'),
    silencedBy: text
      .optional()
      .describe(
        "part of a silence's comment: it must fire by its rule, and nobody must be notified",
      ),
    notBefore: notBefore
      .optional()
      .describe('what it must come after: an alert of a death is none before the death'),
    mayMissTheory: text
      .optional()
      .describe('the reason why it may fire outside of what theory says; absent: that fails'),
  })
  .refine(
    (e) => [e.inhibitedBy, e.silencedBy, e.receiver].filter((x) => x !== undefined).length <= 1,
    {
      error: 'expected at most one of receiver, inhibitedBy, silencedBy',
    },
  );

const mayFire = z.strictObject({
  alert: text,
  labels: z.record(z.string(), z.string()).default({}),
  why: text.describe('the reason why this is a consequence, and not noise'),
  onlyWhenScaled: z
    .boolean()
    .default(false)
    .describe('not in production time: a hiccup of the machine does not shrink with the windows'),
});

const mustNotFire = z.strictObject({
  alert: text,
  labels: z.record(z.string(), z.string()).default({}),
  arm: text.optional(),
});

const abort = z
  .strictObject({
    name: text,
    ...what,
    above: z.number().optional(),
    below: z.number().optional(),
    for: duration.default(0),
    noData: z
      .enum(['abort', 'ignore'])
      .default('abort')
      .describe('ignore only where the loss of data is the fault itself'),
  })
  .refine(isOneOf, { error: 'expected either client or promql' })
  .refine((m) => (m.above === undefined) !== (m.below === undefined), {
    error: 'expected either above or below',
  });

const check = z
  .strictObject({
    name: text,
    ...what,
    counter: z
      .strictObject({ service: text, name: text })
      .optional()
      .describe("how far a service's own counter moved during the phase"),
    phase: z.enum(['fault', 'recovery', 'all']).default('fault'),
    rollout: z
      .enum(['withheld', 'arrives'])
      .optional()
      .describe('whether what was published reached the proxies by the end of the phase'),
    atMost: z.number().optional(),
    atLeast: z.number().optional(),
  })
  .refine(
    (c) =>
      [c.client, c.promql, c.counter, c.rollout].filter((value) => value !== undefined).length ===
      1,
    { error: 'expected one of client, promql, counter, rollout' },
  )
  .refine(
    (c) => c.rollout !== undefined || (c.atMost === undefined) !== (c.atLeast === undefined),
    { error: 'expected either atMost or atLeast' },
  );

const arms = z.strictObject({
  trigger: z.array(fault).min(1).describe('the same disturbance for every arm; it ends by itself'),
  triggerFor: duration,
  observeFor: duration.describe('after the trigger is gone'),
  goodput: z.strictObject({
    route: text,
    backTo: z.number().gt(0).lte(1).describe('share of the goodput before that counts as back'),
  }),
  amplification: z
    .strictObject({ requests: text, tries: text })
    .describe('`service.counter` of what clients asked for, and of what reached the dependency'),
  runs: z
    .array(
      z.strictObject({
        name: text,
        description: text,
        faults: z.array(fault).default([]).describe('what is wrong in this arm, such as a policy'),
        expect: z.enum(['recovered', 'metastable', 'either']).default('either'),
        amplificationAtLeast: z.number().optional(),
        amplificationAtMost: z.number().optional(),
        seenAtLeast: z.number().optional(),
        seenAtMost: z
          .number()
          .optional()
          .describe('of what the trigger strikes, the share that fails for clients of the route'),
      }),
    )
    .min(1),
});

export const scenarioSchema = z
  .strictObject({
    apiVersion: z.literal('firedrill.dev/v1', { error: "expected 'firedrill.dev/v1'" }),
    kind: z.literal('Scenario', { error: "expected 'Scenario'" }),
    id: identifier,
    title: text,
    description: text,
    failureMode: z.string().optional(),
    blastRadius: text,
    runbook: z
      .string()
      .regex(/^([a-z][a-z0-9-]*|.+\.md|https?:\/\/.+)$/i, {
        error: 'expected the name of a page, a .md file beside the scenario, or a URL',
      })
      .describe('the name of its page (firedrill runbook list), a .md file beside it, or a URL'),
    system: z
      .strictObject({
        certificateLifetime: duration.optional().describe('of workloads, for this scenario'),
      })
      .default({}),
    baseline: duration.describe('how long the steady state is measured before anything is broken'),
    hypothesis: z.strictObject({ title: text, measures: z.array(measure).min(1) }),
    faults: z.array(fault).default([]),
    arms: arms.optional(),
    steps: z.array(step).default([]),
    fault: z
      .strictObject({
        atLeast: duration.default(0),
        atMost: duration.describe('the faults end then, whatever has fired'),
      })
      .optional()
      .describe('between the two it ends as soon as all that must fire has been received'),
    recovery: duration.describe('the longest time for the steady state and the alerts to be back'),
    expect: z.strictObject({
      mustFire: z.array(expected).default([]),
      mustNotFire: z.array(mustNotFire).default([]),
      mayFire: z.array(mayFire).default([]),
      nothingElse: z
        .enum(['page', 'all', 'off'])
        .default('page')
        .describe('which other alerts make the scenario fail; page: those that wake somebody'),
      mayBeSilent: text
        .optional()
        .describe('the reason why callers may fail without a page; absent: that fails'),
      mayEnd: z
        .array(
          z.strictObject({
            process: text.describe('a process of the system, such as a service'),
            why: text.describe('the reason why it may end by itself'),
          }),
        )
        .default([])
        .describe('processes that may end by themselves; any other that does fails the scenario'),
      alreadyFiring: z
        .enum(['refused', 'allowed'])
        .default('refused')
        .describe('whether pages that fire before anything is broken are a steady state'),
    }),
    checks: z.array(check).default([]),
    hints: z
      .array(
        z.strictObject({
          text,
          after: duration
            .optional()
            .describe('after the injection; absent: only when somebody asks (gameday hint)'),
        }),
      )
      .default([])
      .describe('for the team under drill, in order; each that is given is recorded'),
    abort: z.array(abort).min(1, { error: 'expected at least one condition' }),
  })
  .refine((s) => s.faults.length > 0 !== (s.arms !== undefined), {
    error: 'expected either faults or arms',
  })
  .refine((s) => s.faults.length === 0 || s.fault !== undefined, {
    error: 'expected fault: { atMost } beside faults',
  });

export type Scenario = z.output<typeof scenarioSchema>;
export type ScenarioFault = Scenario['faults'][number];
export type Expected = Scenario['expect']['mustFire'][number];
export type AbortCondition = Scenario['abort'][number];
export type Check = Scenario['checks'][number];
export type Arms = NonNullable<Scenario['arms']>;

export const scenarioJsonSchema = (): unknown => z.toJSONSchema(scenarioSchema, { io: 'input' });
