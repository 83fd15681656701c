/** Sloth's `prometheus/v1` and its Kubernetes object, read into SLOs. */
import { z } from 'zod';
import { UserError } from '../../base/errors.js';
import { checkYaml, type Path, type YamlDocument } from '../../base/yaml.js';
import { Checker } from './check.js';
import * as f from './fields.js';
import {
  type AlertSettings,
  defaultAlertName,
  type Period,
  plainAlertSettings,
  type Sli,
  type Slo,
  standardAlerting,
} from './model.js';

/** The fields are the same; the object of Kubernetes writes them in camel case. */
type Case = 'snake' | 'camel';
const cased = (c: Case, snake: string): string =>
  c === 'snake' ? snake : snake.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

const query = z.string({ error: 'expected PromQL' });

const alertSettings = z.strictObject({
  disable: z.boolean().optional(),
  labels: f.labelsSchema.optional(),
  annotations: f.annotationsSchema.optional(),
});

function specFields(c: Case) {
  const key = (snake: string): string => cased(c, snake);
  const events = z.strictObject({ [key('error_query')]: query, [key('total_query')]: query });
  const raw = z.strictObject({ [key('error_ratio_query')]: query });
  const slo = z.strictObject({
    name: f.nameSchema,
    description: z.string().optional(),
    objective: f.objectiveSchema,
    labels: f.labelsSchema.optional(),
    sli: z
      .strictObject({ events: events.optional(), raw: raw.optional() })
      .refine((s) => (s.events === undefined) !== (s.raw === undefined), {
        error: "expected either events or raw (Sloth's SLI plugins are Go code, and not supported)",
      }),
    alerting: z.strictObject({
      name: f.nameSchema.optional(),
      labels: f.labelsSchema.optional(),
      annotations: f.annotationsSchema.optional(),
      [key('page_alert')]: alertSettings.optional(),
      [key('ticket_alert')]: alertSettings.optional(),
    }),
  });
  return {
    service: f.nameSchema,
    labels: f.labelsSchema.optional(),
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

interface Events {
  total: string;
  error: string;
}

/** What both spellings come to. */
interface SlothSlo {
  name: string;
  description?: string | undefined;
  objective: number;
  labels?: Record<string, string> | undefined;
  sli: { events?: Record<string, string> | undefined; raw?: Record<string, string> | undefined };
  alerting: Record<string, unknown> & {
    name?: string | undefined;
    labels?: Record<string, string> | undefined;
    annotations?: Record<string, string> | undefined;
  };
}

interface SlothSpec {
  service: string;
  labels?: Record<string, string> | undefined;
  slos: SlothSlo[];
}

export interface SlothOptions {
  /** Sloth takes the period from its command line, not from the file. */
  period?: Period;
}

/** `prometheus/v1`. */
export function readSloth(document: YamlDocument, options: SlothOptions = {}): Slo[] {
  const spec = checkYaml(document, fileSchema) as unknown as SlothSpec;
  return slosOf(spec, 'snake', [], document, options);
}

/** `sloth.slok.dev/v1` PrometheusServiceLevel. */
export function readSlothObject(document: YamlDocument, options: SlothOptions = {}): Slo[] {
  const object = checkYaml(document, objectSchema) as unknown as { spec: SlothSpec };
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
  const slos = spec.slos.map((slo, i): Slo => {
    const path = [...base, 'slos', i];
    const settings = (key: string): AlertSettings | false => {
      const given = slo.alerting[cased(c, key)] as z.output<typeof alertSettings> | undefined;
      if (given?.disable) return false;
      return {
        ...plainAlertSettings,
        labels: given?.labels ?? {},
        annotations: given?.annotations ?? {},
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
      labels: { ...spec.labels, ...slo.labels },
      alerting: {
        ...standardAlerting(slo.alerting.name ?? defaultAlertName(spec.service, slo.name)),
        page: settings('page_alert'),
        ticket: settings('ticket_alert'),
        labels: slo.alerting.labels ?? {},
        annotations: slo.alerting.annotations ?? {},
      },
      get place() {
        return document.placeOf(path);
      },
    };
  });
  if (checker.problems.length > 0) throw new UserError(checker.problems);
  return slos;
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
