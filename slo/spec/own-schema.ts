/** The schema of our own format, from which the JSON Schema for editors is also made. */
import * as z from 'zod';
import * as f from './fields.js';
import { parsePeriodText } from './period.js';

const query = f.querySchema.describe(
  'PromQL: a counter such as errors_total{job="a"}, or a query with {{.window}}',
);

const events = z
  .strictObject({
    bad: query.optional(),
    good: query.optional(),
    total: query,
  })
  .refine((e) => (e.bad === undefined) !== (e.good === undefined), {
    error: 'expected either bad or good, and not both',
  });

const latency = z.strictObject({
  histogram: query.describe('a histogram, such as http_request_duration_seconds{job="a"}'),
  threshold: f.durationSchema.describe('requests that take longer are bad'),
  unit: z.enum(['s', 'ms']).optional().describe("of the histogram; found from the metric's name"),
  native: z.boolean().optional().describe('a native histogram; default: classic'),
  buckets: z
    .array(z.number())
    .optional()
    .describe('the bucket boundaries, in the unit; the threshold is checked to be one of them'),
});

const ratio = z.strictObject({
  error: query.describe('share of errors from 0 to 1'),
  weight: query.optional().describe('events that the ratio speaks of, for a true long-term ratio'),
});

const mesh = z
  .strictObject({
    sli: z.enum(['M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8', 'M9', 'M10']),
    match: z.string().optional().describe('label matchers, such as dst="cart.retail"'),
    direction: z.enum(['inbound', 'outbound']).optional(),
    threshold: z.union([f.durationSchema, z.number()]).optional(),
  })
  .describe('a ready SLI over the mesh metrics');

const slices = z.strictObject({
  length: f.durationSchema.describe('30s, 1m or 5m; divides 5m'),
  target: f.objectiveSchema.describe('per cent of good events that makes a slice good'),
  weigh: z.enum(['whole', 'ratio']).optional().describe('default whole: a slice is good or bad'),
  events: events.optional(),
  latency: latency.optional(),
  ratio: ratio.optional(),
});

const partId = z.string().describe('id of another SLO, service-name');

const sliKinds = {
  events,
  latency,
  ratio,
  slices,
  probe: query.describe('a gauge that is 1 or 0, such as probe_success{job="a"}'),
  threshold: z.strictObject({
    value: query,
    bad: z
      .string()
      .regex(/^(>|<|>=|<=|==|!=)\s*-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/, {
        error: 'expected a comparison such as "> 0.3"',
      })
      .describe('the comparison that makes a sample bad, such as "> 150e6"'),
  }),
  mesh,
  composite: z
    .array(z.union([partId, z.strictObject({ slo: partId, weight: z.number().gt(0).optional() })]))
    .min(2, { error: 'expected at least two parts' }),
  chain: z
    .array(
      z.union([
        partId,
        z.strictObject({
          slo: partId,
          percent: z.number().gt(0).lte(100).describe('of the events that need this part'),
        }),
      ]),
    )
    .min(2, { error: 'expected at least two parts' })
    .describe('an event of the first SLO fails if it fails in any of them'),
  fallback: z
    .array(partId)
    .min(2, { error: 'expected at least two parts' })
    .describe('an event of the first SLO fails if it fails in all of them'),
};

const sli = z
  .union([
    z.enum(['M1', 'M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8', 'M9', 'M10']),
    z
      .strictObject({
        events: sliKinds.events.optional(),
        latency: sliKinds.latency.optional(),
        ratio: sliKinds.ratio.optional(),
        slices: sliKinds.slices.optional(),
        probe: sliKinds.probe.optional(),
        threshold: sliKinds.threshold.optional(),
        mesh: sliKinds.mesh.optional(),
        composite: sliKinds.composite.optional(),
        chain: sliKinds.chain.optional(),
        fallback: sliKinds.fallback.optional(),
      })
      .refine((s) => Object.values(s).filter((v) => v !== undefined).length === 1, {
        error: `expected exactly one of ${Object.keys(sliKinds).join(', ')}`,
      }),
  ])
  .describe('what is measured');

const severity = z.union([
  z.literal(false),
  z.strictObject({
    for: f.durationSchema.optional(),
    keepFiringFor: f.durationSchema.optional(),
    labels: f.alertLabelsSchema.optional(),
    annotations: f.annotationsSchema.optional(),
  }),
]);

const alerting = z.strictObject({
  name: f.nameSchema.optional(),
  labels: f.alertLabelsSchema.optional(),
  annotations: f.annotationsSchema.optional(),
  pageAbove: z
    .union([z.literal(false), z.number().gt(1)])
    .optional()
    .describe('a burn above this over an hour pages; default 3; false: the table of windows alone'),
  windows: z
    .array(
      z.strictObject({
        severity: z.enum(['page', 'ticket']),
        factor: z.number().gt(0),
        long: f.durationSchema,
        short: f.durationSchema.optional().describe('default a twelfth of long'),
      }),
    )
    .min(1)
    .optional()
    .describe("burn windows of your own, instead of the period's table"),
  page: severity.optional(),
  ticket: severity.optional(),
  lowTraffic: z
    .strictObject({
      minBadEvents: z.number().int().gte(0).optional(),
      minEvents: z.number().int().gte(0).optional(),
    })
    .optional(),
  falsePagesPerYear: z
    .number()
    .gt(0)
    .lte(1000)
    .optional()
    .describe('pages a year that chance may cause while the service spends half its budget'),
  budgetSpent: z
    .array(
      z.strictObject({
        percent: z.number().gt(0).lte(1000),
        severity: z.enum(['page', 'ticket']).optional().describe('default ticket'),
      }),
    )
    .min(1)
    .refine((all) => new Set(all.map((one) => one.percent)).size === all.length, {
      error: 'expected each per cent once',
    })
    .optional()
    .describe("an alert where so many per cent of the period's budget are spent"),
  trafficWeighted: z.boolean().optional().describe('burns weigh what the traffic carries'),
  noData: z
    .union([
      z.literal(false),
      z.strictObject({
        after: f.durationSchema.optional(),
        severity: z.enum(['page', 'ticket']).optional(),
      }),
    ])
    .optional(),
});

const groupBy = z.strictObject({
  labels: z.array(f.labelNameSchema).min(1),
  max: z.number().int().gt(0).lte(1000).optional().describe('default 50'),
});

const windowSchema = z
  .string({ error: 'expected month, or a duration of whole days such as 30d' })
  .refine((text) => parsePeriodText(text) !== undefined, {
    error: 'expected month, or whole days from 1d to 366d, such as 7d, 2w, 30d, 12w',
  });

const slo = z.strictObject({
  name: f.nameSchema,
  description: z.string().optional(),
  objective: f.objectiveSchema.describe('per cent of events that must be good, such as 99.9'),
  window: windowSchema.optional().describe('default 30d'),
  sli,
  groupBy: groupBy.optional(),
  owner: f.templateSchema.optional(),
  labels: f.labelsSchema.optional(),
  runbook: z.url({ error: 'expected a URL' }).optional(),
  dashboard: z.url({ error: 'expected a URL' }).optional(),
  alerting: alerting.optional(),
});

export const ownApiVersion = 'firedrill.dev/v1';

export const ownSchema = z.strictObject({
  apiVersion: z.literal(ownApiVersion),
  service: f.nameSchema,
  owner: f.templateSchema.optional().describe('the team that is paged'),
  region: f.templateSchema.optional(),
  labels: f.labelsSchema.optional(),
  window: windowSchema.optional(),
  runbook: z.url({ error: 'expected a URL' }).optional(),
  dashboard: z.url({ error: 'expected a URL' }).optional(),
  alerting: alerting.optional().describe('for all SLOs below; each may say otherwise'),
  slos: z.array(slo).min(1, { error: 'expected at least one SLO' }),
});

export type OwnFile = z.output<typeof ownSchema>;
export type OwnSlo = OwnFile['slos'][number];
export type OwnSli = OwnSlo['sli'];
export type OwnAlerting = NonNullable<OwnSlo['alerting']>;

/** The JSON Schema for editors: `# yaml-language-server: $schema=...`. */
export const ownJsonSchema = (): unknown => z.toJSONSchema(ownSchema, { io: 'input' });
