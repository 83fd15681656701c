/** The supported objects of OpenSLO v1 and v2alpha; any other field is an error that names it. */
import * as z from 'zod';
import * as f from './fields.js';

const metadata = z.strictObject({
  name: f.nameSchema,
  displayName: z.string().optional(),
  labels: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

const inline = <K extends string, S extends z.ZodType>(kind: K, spec: S) =>
  z.strictObject({ kind: z.literal(kind).optional(), metadata, spec });

const querySpec = z.strictObject({ query: f.querySchema });

const dataSourceSpec = z.strictObject({
  description: z.string().optional(),
  type: z.string(),
  connectionDetails: z.unknown().optional(),
});

const metricV1 = z
  .strictObject({
    metricSource: z.strictObject({
      metricSourceRef: z.string().optional(),
      type: z.string().optional(),
      spec: querySpec,
    }),
  })
  .transform((metric) => metric.metricSource.spec);

const metricV2 = z
  .strictObject({
    dataSourceRef: z.string().optional(),
    dataSourceSpec: dataSourceSpec.optional(),
    spec: querySpec,
  })
  .transform((metric) => metric.spec);

const sliSpecOf = (metric: typeof metricV1 | typeof metricV2) =>
  z
    .strictObject({
      description: z.string().optional(),
      thresholdMetric: metric.optional(),
      ratioMetric: z
        .strictObject({
          counter: z
            .literal(true, { error: 'only cumulative counters can be added up; expected true' })
            .optional(),
          good: metric.optional(),
          bad: metric.optional(),
          total: metric.optional(),
          rawType: z.enum(['success', 'failure']).optional(),
          raw: metric.optional(),
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
  timeSliceWindow: z
    .union([f.durationSchema, z.number().transform((minutes) => `${minutes}m`)], {
      error: 'expected a duration such as 1m, or a number of minutes',
    })
    .optional(),
});

const sloFields = {
  description: z.string().optional(),
  timeWindow: z
    .array(
      z.strictObject({
        duration: z.string(),
        isRolling: z.boolean().optional(),
        calendar: z.strictObject({ startTime: z.string(), timeZone: z.string() }).optional(),
      }),
    )
    .length(1, { error: 'expected exactly one time window' })
    .optional(),
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
};
const inlineSli = <S extends z.ZodType>(spec: S) =>
  z.strictObject({ metadata: metadata.optional(), spec }).optional();

const sliV1 = sliSpecOf(metricV1);
const sloV1 = z.strictObject({
  ...sloFields,
  service: f.nameSchema,
  indicator: inlineSli(sliV1),
  indicatorRef: z.string().optional(),
});

const sliV2 = sliSpecOf(metricV2);
/** The draft's text calls the service `service`, its authors' library `serviceRef`. */
const sloV2 = z
  .strictObject({
    ...sloFields,
    service: f.nameSchema.optional(),
    serviceRef: f.nameSchema.optional(),
    sli: inlineSli(sliV2),
    sliRef: z.string().optional(),
  })
  .refine((s) => (s.service === undefined) !== (s.serviceRef === undefined), {
    error: 'expected either service or serviceRef',
  })
  .transform(({ service, serviceRef, sli, sliRef, ...rest }) => ({
    ...rest,
    service: service ?? serviceRef ?? '',
    indicator: sli,
    indicatorRef: sliRef,
  }));

const objectsOf = <SloSpec extends z.ZodType, Sli extends z.ZodType>(
  version: string,
  sloSpec: SloSpec,
  sliSpec: Sli,
) => {
  const object = <K extends string, S extends z.ZodType>(kind: K, spec: S) =>
    z.strictObject({
      apiVersion: z.literal<string>(version),
      kind: z.literal(kind),
      metadata,
      spec,
    });
  return z.discriminatedUnion('kind', [
    object('SLO', sloSpec),
    object('SLI', sliSpec),
    object('Service', z.strictObject({ description: z.string().optional() })),
    object('AlertPolicy', policySpec),
    object('AlertCondition', conditionSpec),
    object(targetKind, targetSpec),
    object('DataSource', dataSourceSpec),
  ]);
};
const objectsV1 = objectsOf('openslo/v1', sloV1, sliV1);
export type OpenSloObject = z.output<typeof objectsV1>;

/** A version of OpenSLO: its objects, which are read alike, and its own names in them. */
export interface Version {
  objects: z.ZodType<OpenSloObject>;
  indicator: 'indicator' | 'sli';
  /** The fields of a metric that hold its query, its source, and the name of its source. */
  query: readonly string[];
  source: readonly string[];
  sourceRef: readonly string[];
}

export const versions: Record<string, Version> = {
  'openslo/v1': {
    objects: objectsV1,
    indicator: 'indicator',
    query: ['metricSource', 'spec', 'query'],
    source: ['metricSource'],
    sourceRef: ['metricSource', 'metricSourceRef'],
  },
  'openslo.com/v2alpha': {
    objects: objectsOf('openslo.com/v2alpha', sloV2, sliV2),
    indicator: 'sli',
    query: ['spec', 'query'],
    source: ['dataSourceSpec'],
    sourceRef: ['dataSourceRef'],
  },
};

export type OpenSloKind = OpenSloObject['kind'];
export type SloObject = Extract<OpenSloObject, { kind: 'SLO' }>;
export type SliSpec = z.output<typeof sliV1>;
export type Objective = z.output<typeof objective>;
export type PolicySpec = z.output<typeof policySpec>;
export type ConditionSpec = z.output<typeof conditionSpec>;
