/** Reads Sloth's `prometheus/v1` and its Kubernetes object. */
import * as z from 'zod';
import { type Problem, Unsupported, UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { Checker } from './check.js';
import * as f from './fields.js';
import { shortFloat } from './query.js';
import {
  type AlertSettings,
  defaultAlertName,
  type Period,
  plainAlertSettings,
  type Sli,
  type Slo,
  standardAlerting,
} from './model.js';

/** Both have the same fields; the Kubernetes object writes them in camel case. */
type Case = 'snake' | 'camel';
const cased = (c: Case, snake: string): string =>
  c === 'snake' ? snake : snake.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

const query = f.querySchema;

const alertSettings = z.strictObject({
  disable: z.boolean().optional(),
  labels: f.looseAlertLabelsSchema.optional(),
  annotations: f.looseAnnotationsSchema.optional(),
});

function specFields(c: Case) {
  const key = (snake: string): string => cased(c, snake);
  const events = z.strictObject({ [key('error_query')]: query, [key('total_query')]: query });
  const raw = z.strictObject({ [key('error_ratio_query')]: query });
  const slo = z.strictObject({
    name: f.nameSchema,
    description: z.string().optional(),
    objective: f.objectiveSchema,
    labels: f.looseLabelsSchema.optional(),
    plugins: z.unknown().optional(),
    sli: z
      .strictObject({
        events: events.optional(),
        raw: raw.optional(),
        plugin: z.looseObject({ id: z.string().optional() }).optional(),
      })
      .refine((s) => [s.events, s.raw, s.plugin].filter((v) => v !== undefined).length === 1, {
        error: 'expected one of events, raw and plugin',
      }),
    alerting: z.strictObject({
      name: f.nameSchema.optional(),
      labels: f.looseAlertLabelsSchema.optional(),
      annotations: f.looseAnnotationsSchema.optional(),
      [key('page_alert')]: alertSettings.optional(),
      [key('ticket_alert')]: alertSettings.optional(),
    }),
  });
  return {
    service: f.nameSchema,
    labels: f.looseLabelsSchema.optional(),
    [key('slo_plugins')]: z.unknown().optional(),
    slos: z.array(slo).min(1, { error: 'expected at least one SLO' }),
  };
}

const fileSchema = z.strictObject({ version: z.literal('prometheus/v1'), ...specFields('snake') });

const objectSchema = z.strictObject({
  apiVersion: z.literal('sloth.slok.dev/v1'),
  kind: z.literal('PrometheusServiceLevel'),
  metadata: z.looseObject({ name: f.nameSchema }),
  spec: z.strictObject(specFields('camel')),
  status: z.unknown().optional(),
});

const bothCases = [
  'error_query',
  'total_query',
  'error_ratio_query',
  'page_alert',
  'ticket_alert',
  'slo_plugins',
];

/** Sloth ignores a field in the other format's spelling, with everything in it; here such a field is an error. */
function saying<T>(c: Case, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const meant = (message: string): string | undefined => {
      const [, key] = /^unknown field '(\w+)'/.exec(message) ?? [];
      const snake = key?.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) ?? '';
      return bothCases.includes(snake) ? cased(c, snake) : undefined;
    };
    throw new UserError(
      error.problems.map((p) => {
        const expected = p.expected ?? meant(p.message);
        return expected === undefined ? p : { ...p, expected };
      }),
    );
  }
}

interface Events {
  total: string;
  error: string;
}

/** YAML 1.1's words for truths, which Sloth's reader takes where they are not in quotes. */
const truths: Record<string, boolean> = {
  y: true,
  yes: true,
  on: true,
  n: false,
  no: false,
  off: false,
};

const plainTexts = ['name', 'service', 'description'];

const withTruths = (document: YamlDocument): YamlDocument =>
  document.withTexts((field, text, isPlain) => {
    const truth = /^([a-z]+|[A-Z][a-z]*|[A-Z]+)$/.test(text)
      ? truths[text.toLowerCase()]
      : undefined;
    return truth === undefined || plainTexts.includes(field) || !isPlain() ? text : truth;
  });

type LooseTexts = Record<string, string | number | boolean> | undefined;

/** A number as Sloth's reader, which reads YAML as JSON, writes it into a text: `1` for `1.0`, `16` for `0x10`. */
function numberText(written: string): string {
  if (/^-?(0|[1-9]\d*)$/.test(written)) return written;
  return shortFloat(Number(/^0\d+$/.test(written) ? `0o${written.slice(1)}` : written));
}

function textsOf(map: LooseTexts, path: Path, document: YamlDocument): Record<string, string> {
  const text = (key: string, value: string | number | boolean): string =>
    typeof value === 'number'
      ? numberText(document.textOf([...path, key]) ?? String(value))
      : String(value);
  return Object.fromEntries(
    Object.entries(map ?? {}).map(([key, value]) => [key, text(key, value)]),
  );
}

/** The common form of both spellings. */
interface SlothSlo {
  name: string;
  description?: string | undefined;
  objective: number;
  labels?: LooseTexts;
  plugins?: unknown;
  sli: {
    events?: Record<string, string> | undefined;
    raw?: Record<string, string> | undefined;
    plugin?: { id?: string | undefined } | undefined;
  };
  alerting: Record<string, unknown> & {
    name?: string | undefined;
    labels?: LooseTexts;
    annotations?: LooseTexts;
  };
}

interface SlothSpec {
  service: string;
  labels?: LooseTexts;
  slo_plugins?: unknown;
  sloPlugins?: unknown;
  slos: SlothSlo[];
}

export interface SlothOptions {
  /** The period, which Sloth takes from its command line and not from the file. */
  period?: Period;
}

/** `prometheus/v1`. */
export function readSloth(document: YamlDocument, options: SlothOptions = {}): Slo[] {
  const spec = saying('snake', () =>
    checkYaml(withTruths(document), fileSchema),
  ) as unknown as SlothSpec;
  return slosOf(spec, 'snake', [], document, options);
}

/** `sloth.slok.dev/v1` PrometheusServiceLevel. */
export function readSlothObject(document: YamlDocument, options: SlothOptions = {}): Slo[] {
  const object = saying('camel', () =>
    checkYaml(withTruths(document), objectSchema),
  ) as unknown as {
    spec: SlothSpec;
  };
  return slosOf(object.spec, 'camel', ['spec'], document, options);
}

function slosOf(
  spec: SlothSpec,
  c: Case,
  base: Path,
  document: YamlDocument,
  options: SlothOptions,
): Slo[] {
  const checker = new Checker(document);
  refusePlugins(spec, base, document);
  const texts = (map: LooseTexts, path: Path): Record<string, string> =>
    textsOf(map, path, document);
  const slos = spec.slos.map((slo, i): Slo => {
    const path = [...base, 'slos', i];
    const at = [...path, 'alerting'];
    const settings = (key: string): AlertSettings | false => {
      const given = slo.alerting[cased(c, key)] as z.output<typeof alertSettings> | undefined;
      if (given?.disable) return false;
      return {
        ...plainAlertSettings,
        labels: texts(given?.labels, [...at, cased(c, key), 'labels']),
        annotations: texts(given?.annotations, [...at, cased(c, key), 'annotations']),
      };
    };
    return {
      id: `${spec.service}-${slo.name}`,
      service: spec.service,
      name: slo.name,
      ...(slo.description === undefined ? {} : { description: slo.description }),
      objective: slo.objective,
      period: options.period ?? { days: 30 },
      sli: sliOf(slo.sli, c, [...path, 'sli'], checker),
      groupBy: [],
      maxGroups: 50,
      labels: {
        ...texts(spec.labels, [...base, 'labels']),
        ...texts(slo.labels, [...path, 'labels']),
      },
      alerting: {
        ...standardAlerting(slo.alerting.name ?? defaultAlertName(spec.service, slo.name)),
        page: settings('page_alert'),
        ticket: settings('ticket_alert'),
        labels: texts(slo.alerting.labels, [...at, 'labels']),
        annotations: texts(slo.alerting.annotations, [...at, 'annotations']),
      },
      get place() {
        return document.placeOf(path);
      },
    };
  });
  if (checker.problems.length > 0) throw new UserError(checker.problems);
  return slos;
}

/** Plug-ins are Go code that Sloth loads, so their result is not known here. */
function refusePlugins(spec: SlothSpec, base: Path, document: YamlDocument): void {
  const problems: Problem[] = [];
  const refuse = (path: Path, kind: string, ids: string[]): void => {
    const named = ids.length > 0 ? ` (${ids.join(', ')})` : '';
    problems.push({
      place: document.placeOfKey(path),
      message: `Sloth's ${kind}${named} are Go code that Sloth runs; they are not read here`,
      expected:
        kind === 'SLI plug-ins' ? 'events or raw with their queries' : 'the SLO without them',
    });
  };
  for (const key of ['slo_plugins', 'sloPlugins'] as const) {
    if (spec[key] !== undefined) refuse([...base, key], 'SLO plug-ins', idsOf(spec[key]));
  }
  spec.slos.forEach((slo, i) => {
    const path = [...base, 'slos', i];
    if (slo.plugins !== undefined) refuse([...path, 'plugins'], 'SLO plug-ins', idsOf(slo.plugins));
    const { plugin } = slo.sli;
    if (plugin) refuse([...path, 'sli', 'plugin'], 'SLI plug-ins', plugin.id ? [plugin.id] : []);
  });
  if (problems.length > 0) throw new Unsupported(problems);
}

/** The ids in a chain of plug-ins, without duplicates. */
function idsOf(plugins: unknown): string[] {
  const chain = (plugins as { chain?: unknown } | null)?.chain;
  const ids = Array.isArray(chain)
    ? chain.map((p) => String((p as { id?: unknown } | null)?.id))
    : [];
  return [...new Set(ids)];
}

function sliOf(sli: SlothSlo['sli'], c: Case, path: Path, checker: Checker): Sli {
  const read = (kind: 'events' | 'raw', key: string): string => {
    const field = cased(c, key);
    const text = sli[kind]?.[field] ?? '';
    checker.windowed([...path, kind, field], text);
    return text;
  };
  if (sli.raw) return { kind: 'ratio', error: read('raw', 'error_ratio_query') };
  const events: Events = {
    error: read('events', 'error_query'),
    total: read('events', 'total_query'),
  };
  return { kind: 'events', total: events.total, bad: events.error };
}
