/** The format of synthetic incidents: traffic over the day, and labelled incidents. */
import * as z from 'zod';
import { parseDurationMs } from '../../../base/duration.js';
import { inputName } from '../../../base/input.js';
import { type Problem, UserError } from '../../../base/errors.js';
import { checkYaml, readYaml, type YamlDocument } from '../../../base/yaml.js';
import { readTimeMs } from '../../../base/time-text.js';

const incidentKinds = [
  'outage',
  'slow-burn',
  'brown-out',
  'flapping',
  'low-traffic',
  'deploy-spike',
  'surge',
  'data-gap',
  'label',
] as const;
export type IncidentKind = (typeof incidentKinds)[number];

/** The alert that an incident deserves; `none` marks a trap, for which every alert is a false alarm. */
export type Expectation = 'page' | 'ticket' | 'no-data' | 'none';

export interface Incident {
  name: string;
  kind: IncidentKind;
  startMs: number;
  endMs: number;
  expect: Expectation;
  /** Share of bad events, 0 to 1; or `burn`, the same as a multiple of the error budget. */
  share?: number;
  burn?: number;
  /** For a brown-out: how long it takes to get bad, and how long to recover. */
  rampMs: number;
  /** For flapping: lengths of the bad and the good phases. */
  badMs: number;
  goodMs: number;
  /** Factor for the traffic during the incident. */
  traffic: number;
  /** The SLOs that the incident affects; empty means all. */
  slos: string[];
}

export interface Traffic {
  /** Mean events a second. */
  perSecond: number;
  /** Traffic in the quietest hour as a share of that in the busiest, 0 to 1. */
  night: number;
  /** Milliseconds from midnight to the busiest hour. */
  peakMs: number;
  weekend: number;
}

export interface Story {
  file: string;
  startMs: number;
  durationMs: number;
  seed: number;
  /**
   * Randomness: none, independent in each step, or `memory`, where busy or bad times last for about twenty minutes.
   */
  noise: 'none' | 'poisson' | 'memory';
  traffic: Traffic;
  /** Share of bad events outside of incidents; or `burn`, the same as a multiple of the error budget. */
  baseline: { share: number } | { burn: number };
  incidents: Incident[];
}

const positive = z
  .string()
  .refine((text) => (parseDurationMs(text) ?? 0) > 0, {
    message: 'expected a duration such as 30m or 2d4h',
  })
  .transform((text) => parseDurationMs(text) as number);

const moment = z.union([z.string(), z.date()], {
  error:
    'expected a duration since the start, such as 2d9h, or a time such as 2026-01-05T09:00:00Z',
});

/** Reads `12%` or `0.12` as a number from 0 to 1. */
const share = z
  .union([z.number(), z.string()], { error: 'expected a share such as 20% or 0.2' })
  .transform((value, context) => {
    const match = /^([\d.]+)\s*%$/.exec(String(value));
    const number = match ? Number(match[1]) / 100 : Number(value);
    if (number >= 0 && number <= 1) return number;
    context.addIssue({ code: 'custom', message: 'expected a share from 0% to 100%' });
    return z.NEVER;
  });

const burn = z.number({ error: 'expected a burn rate, such as 6' }).gt(0);
const expectation = z.enum(['page', 'ticket', 'no-data', 'none']);

const base = {
  name: z.string().optional(),
  at: moment.optional(),
  for: positive.optional(),
  from: moment.optional(),
  to: moment.optional(),
  expect: expectation.optional(),
  slos: z.array(z.string()).optional(),
  every: positive.optional(),
  times: z.number().int().gt(1).lte(1000).optional(),
};

const bad = { share: share.optional(), burn: burn.optional() };

const incident = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('outage'), ...base, ...bad }),
    z.strictObject({ kind: z.literal('slow-burn'), ...base, ...bad }),
    z.strictObject({ kind: z.literal('brown-out'), ...base, ...bad, ramp: positive.optional() }),
    z.strictObject({
      kind: z.literal('flapping'),
      ...base,
      ...bad,
      bad: positive.optional(),
      good: positive.optional(),
    }),
    z.strictObject({
      kind: z.literal('low-traffic'),
      ...base,
      ...bad,
      traffic: share.optional(),
    }),
    z.strictObject({ kind: z.literal('deploy-spike'), ...base, ...bad }),
    z.strictObject({
      kind: z.literal('surge'),
      ...base,
      ...bad,
      traffic: z.number().gt(1).lte(1000),
    }),
    z.strictObject({ kind: z.literal('data-gap'), ...base }),
    z.strictObject({ kind: z.literal('label'), ...base }),
  ],
  { error: `expected a kind: ${incidentKinds.join(', ')}` },
);

const schema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1'),
  kind: z.literal('Incidents'),
  days: z.number().gt(0).lte(366).optional(),
  start: moment.optional(),
  seed: z.number().int().optional(),
  noise: z.enum(['none', 'poisson', 'memory']).optional(),
  traffic: z
    .strictObject({
      rate: z.number().gt(0).optional(),
      night: share.optional(),
      peak: positive.optional(),
      weekend: share.optional(),
    })
    .optional(),
  baseline: z
    .union([z.strictObject({ burn: z.number().gte(0) }), z.strictObject({ share }), share])
    .optional(),
  incidents: z.array(incident).optional(),
});

type Raw = z.output<typeof incident>;

const defaults: Record<IncidentKind, { expect: Expectation; share?: number; burn?: number }> = {
  outage: { expect: 'page', share: 1 },
  'slow-burn': { expect: 'ticket', burn: 1.5 },
  'brown-out': { expect: 'page', share: 0.2 },
  flapping: { expect: 'page', share: 0.5 },
  'low-traffic': { expect: 'none' },
  'deploy-spike': { expect: 'none', share: 0.05 },
  surge: { expect: 'none' },
  'data-gap': { expect: 'no-data' },
  label: { expect: 'page' },
};

const minuteMs = 60_000;
/** A Monday, so that weeks begin where people expect it. */
const defaultStartMs = Date.UTC(2026, 0, 5);

export function readStory(file: string): Story {
  const [document] = readYaml(file);
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'incidents' });
  const value = checkYaml(document, schema);
  const startMs = value.start === undefined ? defaultStartMs : dateOf(value.start);
  if (Number.isNaN(startMs)) {
    throw new UserError({ place: document.placeOf(['start']), message: 'start: not a time' });
  }
  const durationMs = (value.days ?? 30) * 86_400_000;
  const { traffic = {}, baseline = { burn: 0.1 } } = value;
  const reader = new IncidentReader(document, startMs, durationMs);
  const incidents = (value.incidents ?? []).flatMap((raw, i) => reader.read(raw, i));
  if (reader.problems.length > 0) throw new UserError(reader.problems);
  return {
    file,
    startMs,
    durationMs,
    seed: value.seed ?? 1,
    noise: value.noise ?? 'none',
    traffic: {
      perSecond: traffic.rate ?? 20,
      night: traffic.night ?? 1,
      peakMs: traffic.peak ?? 14 * 3_600_000,
      weekend: traffic.weekend ?? 1,
    },
    baseline: typeof baseline === 'number' ? { share: baseline } : baseline,
    incidents: incidents.sort((a, b) => a.startMs - b.startMs),
  };
}

const dateOf = (value: string | Date): number =>
  value instanceof Date ? value.getTime() : readTimeMs(value);

class IncidentReader {
  readonly problems: Problem[] = [];
  readonly #document: YamlDocument;
  readonly #startMs: number;
  readonly #endMs: number;

  constructor(document: YamlDocument, startMs: number, durationMs: number) {
    this.#document = document;
    this.#startMs = startMs;
    this.#endMs = startMs + durationMs;
  }

  read(raw: Raw, index: number): Incident[] {
    const say = (field: string, message: string, expected: string): void => {
      const place = this.#document.placeOf(['incidents', index, field]);
      this.problems.push({ place, message: `incidents.${index}: ${message}`, expected });
    };
    const begin = raw.at ?? raw.from;
    const startMs = begin === undefined ? NaN : this.#momentOf(begin);
    if (Number.isNaN(startMs)) {
      say('at', 'its start is missing', 'at: 2d9h, or a time such as 2026-01-05T09:00:00Z');
      return [];
    }
    const endMs = raw.for === undefined ? this.#momentOf(raw.to ?? '') : startMs + raw.for;
    if (!(endMs > startMs)) {
      say('for', 'its duration is missing', 'for: 30m, or to: a time after its beginning');
      return [];
    }
    if (startMs < this.#startMs || endMs > this.#endMs) {
      say('at', 'it is outside of the story', 'a time within its days');
      return [];
    }
    const defaulted = defaults[raw.kind];
    const amounts: { share?: number | undefined; burn?: number | undefined } =
      raw.kind === 'data-gap' || raw.kind === 'label' ? {} : raw;
    if (amounts.share !== undefined && amounts.burn !== undefined) {
      say('burn', 'both a share and a burn', 'one of them');
    }
    const given = amounts.share !== undefined || amounts.burn !== undefined;
    const { share, burn } = given ? amounts : defaulted;
    const one: Incident = {
      name: raw.name ?? `${raw.kind} ${index + 1}`,
      kind: raw.kind,
      startMs,
      endMs,
      expect: raw.expect ?? defaulted.expect,
      ...(share === undefined ? {} : { share }),
      ...(burn === undefined ? {} : { burn }),
      rampMs: (raw.kind === 'brown-out' ? raw.ramp : undefined) ?? (endMs - startMs) / 3,
      badMs: (raw.kind === 'flapping' ? raw.bad : undefined) ?? 3 * minuteMs,
      goodMs: (raw.kind === 'flapping' ? raw.good : undefined) ?? 3 * minuteMs,
      traffic: trafficOf(raw),
      slos: raw.slos ?? [],
    };
    return this.#repeated(one, raw);
  }

  #momentOf(value: string | Date): number {
    if (typeof value === 'string') {
      const since = parseDurationMs(value);
      if (since !== undefined) return this.#startMs + since;
    }
    return dateOf(value);
  }

  #repeated(one: Incident, raw: Raw): Incident[] {
    if (raw.every === undefined) return [one];
    const all: Incident[] = [];
    for (let i = 0; i < (raw.times ?? 1000); i++) {
      const shiftMs = i * raw.every;
      if (one.endMs + shiftMs > this.#endMs) break;
      const name = `${one.name} (${i + 1})`;
      all.push({ ...one, name, startMs: one.startMs + shiftMs, endMs: one.endMs + shiftMs });
    }
    return all;
  }
}

function trafficOf(raw: Raw): number {
  if (raw.kind === 'surge') return raw.traffic;
  return raw.kind === 'low-traffic' ? (raw.traffic ?? 0.01) : 1;
}

/** The share of bad events during an incident, 0 to 1; `budget` is the share that the objective allows. */
export function shareOf(incident: Pick<Incident, 'share' | 'burn'>, budget: number): number {
  if (incident.share !== undefined) return incident.share;
  return incident.burn === undefined ? 0 : Math.min(1, incident.burn * budget);
}
