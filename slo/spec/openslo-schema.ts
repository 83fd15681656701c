/** The supported objects of OpenSLO v1; any other field is an error that names it. */
import * as z from 'zod';
import * as f from './fields.js';

const metadata = z.strictObject({
  name: f.nameSchema,
  displayName: z.string().optional(),
  labels: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const object = <K extends string, S extends z.ZodType>(kind: K, spec: S) =>
  z.strictObject({ apiVersion: z.literal('openslo/v1'), kind: z.literal(kind), metadata, spec });

const inline = <K extends string, S extends z.ZodType>(kind: K, spec: S) =>
  z.strictObject({ kind: z.literal(kind).optional(), metadata, spec });

const metricSource = z.strictObject({
  metricSource: z.strictObject({
    metricSourceRef: z.string().optional(),
    type: z.string().optional(),
    spec: z.strictObject({
      query: z.string({ error: 'expected PromQL' }),
    }),
  }),
});

export const sliSpec = z
  .strictObject({
    description: z.string().optional(),
    thresholdMetric: metricSource.optional(),
    ratioMetric: z
      .strictObject({
        counter: z
          .literal(true, { error: 'only cumulative counters can be added up; expected true' })
          .optional(),
        good: metricSource.optional(),
        bad: metricSource.optional(),
        total: metricSource.optional(),
        rawType: z.enum(['success', 'failure']).optional(),
        raw: metricSource.optional(),
      })
      .refine(
        (r) =>
          r.raw === undefined
            ? r.total !== undefined && (r.good === undefined) !== (r.bad === undefined)
            : r.total === undefined && r.good === undefined && r.bad === undefined,
        { error: 'expected total with either good or bad, or raw with rawType' },
      )
      .optional(),
  })
  .refine((s) => (s.thresholdMetric === undefined) !== (s.ratioMetric === undefined), {
    error: 'expected either thresholdMetric or ratioMetric',
  });

const conditionSpec = z.strictObject({
  description: z.string().optional(),
  severity: z.enum(['page', 'ticket'], { error: 'expected page or ticket' }),
  condition: z.strictObject({
    kind: z.literal('burnrate'),
    op: z.enum(['gt', 'gte'], { error: 'a burn that is too fast is above: expected gt or gte' }),
    threshold: z.number().gt(0),
    lookbackWindow: f.durationSchema,
    alertAfter: f.durationSchema.optional(),
  }),
});

const targetKind = 'AlertNotificationTarget';
const targetSpec = z.strictObject({ description: z.string().optional(), target: z.string() });

const policySpec = z.strictObject({
  description: z.string().optional(),
  alertWhenNoData: z.boolean().optional(),
  alertWhenResolved: z.boolean().optional(),
  alertWhenBreaching: z
    .literal(true, { error: 'an alert that does not fire when breached; expected true' })
    .optional(),
  conditions: z
    .array(
      z
        .strictObject({
          conditionRef: z.string().optional(),
          kind: z.literal('AlertCondition').optional(),
          metadata: metadata.optional(),
          spec: conditionSpec.optional(),
        })
        .refine((c) => (c.conditionRef === undefined) !== (c.spec === undefined), {
          error: 'expected either conditionRef or spec',
        }),
    )
    .min(1),
  notificationTargets: z
    .array(z.union([z.strictObject({ targetRef: z.string() }), inline(targetKind, targetSpec)]))
    .optional(),
});

const objective = z.strictObject({
  displayName: z.string().optional(),
  op: z.enum(['lte', 'gte', 'lt', 'gt']).optional(),
  value: z.number().optional(),
  target: z.number().gt(0).lt(1, { error: 'expected a share below 1, such as 0.999' }).optional(),
  targetPercent: f.objectiveSchema.optional(),
  timeSliceTarget: z.number().gt(0).lt(1).optional(),
  timeSliceWindow: f.durationSchema.optional(),
});

const sloSpec = z.strictObject({
  description: z.string().optional(),
  service: f.nameSchema,
  indicator: z.strictObject({ metadata: metadata.optional(), spec: sliSpec }).optional(),
  indicatorRef: z.string().optional(),
  timeWindow: z
    .array(
      z.strictObject({
        duration: z.string(),
        isRolling: z.boolean().optional(),
        calendar: z
          .strictObject({
            startTime: z.string(),
            timeZone: z.string(),
          })
          .optional(),
      }),
    )
    .length(1, { error: 'expected exactly one time window' }),
  budgetingMethod: z.enum(['Occurrences', 'Timeslices', 'RatioTimeslices']),
  objectives: z.array(objective).min(1),
  alertPolicies: z
    .array(
      z.union([
        z.string(),
        z.strictObject({ alertPolicyRef: z.string() }),
        inline('AlertPolicy', policySpec),
      ]),
    )
    .nullish(),
});

export const openSloSchema = z.discriminatedUnion('kind', [
  object('SLO', sloSpec),
  object('SLI', sliSpec),
  object('Service', z.strictObject({ description: z.string().optional() })),
  object('AlertPolicy', policySpec),
  object('AlertCondition', conditionSpec),
  object(targetKind, targetSpec),
  object(
    'DataSource',
    z.strictObject({
      description: z.string().optional(),
      type: z.string(),
      connectionDetails: z.unknown().optional(),
    }),
  ),
]);

export type OpenSloObject = z.output<typeof openSloSchema>;
export type OpenSloKind = OpenSloObject['kind'];
export type SloObject = Extract<OpenSloObject, { kind: 'SLO' }>;
export type SliSpec = z.output<typeof sliSpec>;
export type Objective = z.output<typeof objective>;
export type PolicySpec = z.output<typeof policySpec>;
export type ConditionSpec = z.output<typeof conditionSpec>;
