/** Reads OpenSLO v1alpha, which Sloth's users still have: ratio metrics with time windows in their queries. */
import * as z from 'zod';
import { Unsupported, UserError } from '../../base/errors.js';
import { checkYaml, type YamlDocument } from '../../base/yaml.js';
import { Checker } from './check.js';
import * as f from './fields.js';
import { defaultAlertName, type Period, type Slo, standardAlerting } from './model.js';
import { parsePeriodText, periodsExpected } from './period.js';
import { unwrapSum } from './query.js';

export const alphaApiVersion = 'openslo/v1alpha';

const metric = z.strictObject({
  source: z
    .string()
    .regex(/^prometheus$/i, { error: 'only Prometheus can be queried; expected prometheus' })
    .optional(),
  queryType: z.literal('promql', { error: 'expected promql' }).optional(),
  query: f.querySchema,
});

const schema = z.strictObject({
  apiVersion: z.literal(alphaApiVersion),
  kind: z.literal('SLO', { error: 'of OpenSLO v1alpha SLO and Service are read; expected SLO' }),
  metadata: z.looseObject({ name: f.nameSchema, displayName: z.string().optional() }),
  spec: z.strictObject({
    service: f.nameSchema,
    description: z.string().optional(),
    budgetingMethod: z.literal('Occurrences', {
      error: 'of OpenSLO v1alpha only Occurrences is read; expected Occurrences (or openslo/v1)',
    }),
    objectives: z
      .array(
        z.strictObject({
          displayName: z.string().optional(),
          ratioMetrics: z.strictObject({
            good: metric,
            total: metric,
            incremental: z.boolean().optional(),
            counter: z.boolean().optional(),
          }),
          target: z.number().gt(0).lt(1, { error: 'expected a share below 1, such as 0.999' }),
        }),
      )
      .min(1),
    timeWindows: z
      .array(
        z.strictObject({
          count: z.number().int(),
          unit: z.string(),
          isRolling: z.boolean().optional(),
          calendar: z.unknown().optional(),
        }),
      )
      .length(1, { error: 'expected exactly one time window' }),
  }),
});

/** A service holds nothing that rules need. */
const serviceSchema = z.strictObject({
  apiVersion: z.literal(alphaApiVersion),
  kind: z.literal('Service'),
  metadata: schema.shape.metadata,
  spec: z.strictObject({ description: z.string().optional() }),
});

type Window = z.output<typeof schema>['spec']['timeWindows'][number];
const daysOfUnit: Record<string, number> = { Day: 1, Week: 7 };

function periodOf(window: Window | undefined, checker: Checker): Period {
  const path = ['spec', 'timeWindows', 0];
  if (window?.calendar !== undefined || window?.isRolling === false) {
    checker.add(path, 'a calendar window', 'a rolling one (calendars are read from openslo/v1)');
    return { days: 30 };
  }
  const days = (window?.count ?? 0) * (daysOfUnit[window?.unit ?? ''] ?? 0);
  const period = parsePeriodText(`${days}d`);
  if (!period) {
    checker.add(
      path,
      `a window of ${window?.count} ${window?.unit}`,
      `Day or Week: ${periodsExpected}`,
    );
  }
  return period ?? { days: 30 };
}

/** Valid input of other sources and methods; throws Unsupported. */
function refuseForeign(document: YamlDocument): void {
  const { spec } = document.value as { spec?: { budgetingMethod?: unknown } };
  const method = spec?.budgetingMethod;
  if (method !== 'Timeslices') return;
  throw new Unsupported({
    place: document.placeOf(['spec', 'budgetingMethod']),
    message: 'Timeslices of OpenSLO v1alpha',
    expected: 'Occurrences, or openslo/v1',
  });
}

/** Throws a UserError with every mistake and its place. */
export function readOpenSloAlpha(document: YamlDocument): Slo[] {
  if ((document.value as { kind?: unknown }).kind === 'Service') {
    checkYaml(document, serviceSchema);
    return [];
  }
  refuseForeign(document);
  const { metadata, spec } = checkYaml(document, schema);
  const checker = new Checker(document);
  const period = periodOf(spec.timeWindows[0], checker);
  const slos = spec.objectives.map((objective, i): Slo => {
    const path = ['spec', 'objectives', i];
    const many = spec.objectives.length > 1;
    const own = metadata.name.replace(`${spec.service}-`, '');
    const name = (many ? `${own}-${objective.displayName ?? i + 1}` : own).replaceAll(
      /[^A-Za-z0-9._-]/g,
      '-',
    );
    const read = (side: 'good' | 'total'): string => {
      const { query } = objective.ratioMetrics[side];
      const text = unwrapSum(query.trim());
      checker.windowed([...path, 'ratioMetrics', side, 'query'], text);
      return text;
    };
    return {
      id: `${spec.service}-${name}`,
      service: spec.service,
      name,
      ...(spec.description === undefined ? {} : { description: spec.description }),
      objective: Number((objective.target * 100).toPrecision(12)),
      period,
      sli: { kind: 'events', total: read('total'), good: read('good') },
      groupBy: [],
      maxGroups: 50,
      labels: {},
      alerting: standardAlerting(defaultAlertName(spec.service, name)),
      get place() {
        return document.placeOf(path);
      },
    };
  });
  if (checker.problems.length > 0) throw new UserError(checker.problems);
  return slos;
}
