/** Reads Pyrra's ServiceLevelObjective. */
import * as z from 'zod';
import { Unsupported, UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { splitHistogram } from '../rules/increments.js';
import { Checker } from './check.js';
import { parsePeriodText, periodsExpected } from './period.js';
import * as f from './fields.js';
import { groupsMax } from './query-groups.js';
import { defaultAlertName, type Sli, type Slo, standardAlerting } from './model.js';

const metric = z.strictObject({ metric: f.querySchema });
const grouping = z.array(f.labelNameSchema).nullish();
const gauge = z.strictObject({ metric: f.querySchema, grouping });

const schema = z.strictObject({
  apiVersion: z.literal('pyrra.dev/v1alpha1'),
  kind: z.literal('ServiceLevelObjective'),
  metadata: z.looseObject({
    name: f.nameSchema,
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: f.objectAnnotationsSchema('pyrra.dev/').optional(),
  }),
  spec: z.strictObject({
    target: z
      .string({ error: 'expected text such as "99.9"' })
      .refine((t) => f.objectiveSchema.safeParse(Number(t)).success, {
        error: 'expected per cent above 0 and below 100, in quotes, such as "99.9"',
      }),
    window: f.durationSchema,
    description: z.string().optional(),
    indicator: z
      .strictObject({
        ratio: z.strictObject({ errors: metric, total: metric, grouping }).optional(),
        latency: z.strictObject({ success: metric, total: metric, grouping }).optional(),
        latencyNative: z
          .strictObject({ latency: f.durationSchema, total: metric, grouping })
          .optional(),
        bool_gauge: gauge.optional(),
        boolGauge: gauge.optional(),
      })
      .refine((i) => Object.values(i).filter((v) => v !== undefined).length === 1, {
        error: 'expected exactly one of ratio, latency, latencyNative, bool_gauge',
      }),
    alerting: z
      .strictObject({
        disabled: z.boolean().optional(),
        name: f.nameSchema.optional(),
        burnrates: z.boolean().optional(),
        absent: z.boolean().optional(),
        absentName: z.unknown().optional(),
        severities: z.unknown().optional(),
      })
      .optional(),
    // How Thanos answers, and how Pyrra saves work: neither changes what is measured.
    partial_response_strategy: z.enum(['abort', 'warn', '']).optional(),
    performanceOverAccuracy: z.boolean().optional(),
    ruleOutput: z.unknown().optional(),
  }),
  status: z.unknown().optional(),
});

type Spec = z.output<typeof schema>['spec'];
const prefix = 'pyrra.dev/';

/** Labels with Pyrra's prefix go to the alerts, as in Pyrra. */
function prefixed(map: Record<string, string> | undefined): Record<string, string> {
  const entries = Object.entries(map ?? {}).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), value]));
}

export function readPyrra(document: YamlDocument): Slo[] {
  const { metadata, spec } = checkYaml(document, schema);
  const checker = new Checker(document);
  refuseOwn(spec, document);
  const labels = prefixed(metadata.labels);
  const service = labels.service ?? metadata.namespace ?? metadata.name;
  delete labels.service;
  checker.labels(labels, (name) => ['metadata', 'labels', prefix + name]);
  const period = parsePeriodText(spec.window);
  if (!period) {
    checker.refuse(['spec', 'window'], `a window of '${spec.window}'`, periodsExpected);
    throw new Unsupported(checker.refused);
  }
  const sli = sliOf(spec.indicator, checker);
  const alerting = standardAlerting(
    spec.alerting?.name ?? defaultAlertName(service, metadata.name),
  );
  const off = spec.alerting?.disabled === true || spec.alerting?.burnrates === false;
  if (off) Object.assign(alerting, { page: false, ticket: false });
  if (spec.alerting?.absent === false || spec.alerting?.disabled) alerting.noData = false;
  alerting.annotations = prefixed(metadata.annotations);
  if (checker.problems.length > 0) throw new UserError(checker.problems);
  return [
    {
      id: `${service}-${metadata.name}`,
      service,
      name: metadata.name,
      ...(spec.description ? { description: spec.description } : {}),
      objective: Number(spec.target),
      period,
      sli: sli.sli,
      groupBy: sli.groupBy,
      maxGroups: groupsMax,
      labels,
      alerting,
      get place() {
        return document.placeOf(['metadata', 'name']);
      },
    },
  ];
}

/** Names, severities and objects that only Pyrra's rules have; somebody's routes may need them. */
function refuseOwn(spec: Spec, document: YamlDocument): void {
  const found = [
    ['spec', 'ruleOutput'],
    ['spec', 'alerting', 'absentName'],
    ['spec', 'alerting', 'severities'],
  ].filter(([, a = '', b]) => {
    const value = (spec as Record<string, unknown>)[a];
    return (
      (b === undefined ? value : (value as Record<string, unknown> | undefined)?.[b]) !== undefined
    );
  });
  if (found.length === 0) return;
  throw new Unsupported(
    found.map((path) => ({
      place: document.placeOfKey(path),
      message: `Pyrra's ${path.slice(1).join('.')}, which names its own rules`,
      expected: 'the object without it, or an SLO of firedrill.dev/v1',
    })),
  );
}

function sliOf(indicator: Spec['indicator'], checker: Checker): { sli: Sli; groupBy: string[] } {
  const base: Path = ['spec', 'indicator'];
  const counter = (kind: string, field: string, text: string): string => {
    checker.selector([...base, kind, field, 'metric'], text);
    return text;
  };
  const { ratio, latency, latencyNative } = indicator;
  if (ratio) {
    const total = counter('ratio', 'total', ratio.total.metric);
    const bad = counter('ratio', 'errors', ratio.errors.metric);
    return { sli: { kind: 'events', total, bad }, groupBy: ratio.grouping ?? [] };
  }
  if (latency) {
    const total = counter('latency', 'total', latency.total.metric);
    const good = counter('latency', 'success', latency.success.metric);
    if (!/\ble\s*=/.test(good)) {
      const at = [...base, 'latency', 'success', 'metric'];
      checker.add(at, 'the bucket of the threshold is not chosen', 'a matcher such as le="0.3"');
    }
    return { sli: { kind: 'events', total, good }, groupBy: latency.grouping ?? [] };
  }
  if (latencyNative) {
    const parts = splitHistogram(counter('latencyNative', 'total', latencyNative.total.metric));
    return {
      sli: {
        kind: 'latency',
        histogram: parts?.metric ?? '',
        matchers: parts?.matchers ?? '',
        threshold: f.ms(latencyNative.latency) / 1000,
        unit: 's',
        native: true,
      },
      groupBy: latencyNative.grouping ?? [],
    };
  }
  const kind = indicator.bool_gauge ? 'bool_gauge' : 'boolGauge';
  const bool = indicator[kind];
  checker.selector([...base, kind, 'metric'], bool?.metric ?? '');
  return { sli: { kind: 'probe', selector: bool?.metric ?? '' }, groupBy: bool?.grouping ?? [] };
}
