/** The schema of load files. Durations are real: no time scale shortens a load. */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { loadAddress } from '../scenarios/fields.js';
import type { StatusRange } from './request.js';

const words = z.string({ error: 'expected a text' }).min(1, { error: 'expected some text' });

const duration = z
  .string({ error: 'expected a duration such as 500ms, 5s or 2m' })
  .refine((text) => (parseDurationMs(text) ?? 0) > 0, {
    error: 'expected a duration such as 500ms, 5s or 2m',
  })
  .describe('a duration in real time')
  .transform((text) => parseDurationMs(text) as number);

const rate = z
  .number({ error: 'expected a number' })
  .positive({ error: 'expected a number above 0' })
  .max(10_000, { error: 'expected at most 10000' });

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const headers = z
  .record(
    z.string().regex(token, { error: 'expected the name of a header' }),
    z
      .union([z.string(), z.number(), z.boolean()])
      .transform(String)
      .refine((value) => !/[\r\n\0]/.test(value), { error: 'a header is one line' }),
  )
  .describe(
    '{{n}} is the number of the request, {{n%500}} its remainder, {{unique}} a word of its own',
  );

const statusText = /^([1-5])xx$|^([1-5]\d\d)(?:-([1-5]\d\d))?$/;
const oneStatus = z
  .union([z.number(), z.string()], { error: 'expected a status such as 200, 2xx or 200-204' })
  .transform(String)
  .refine((text) => statusText.test(text) && rangeOf(text).from <= rangeOf(text).to, {
    error: 'expected a status such as 200, 2xx or 200-204',
  })
  .transform(rangeOf);

function rangeOf(text: string): StatusRange {
  const [, hundreds, from, to] = statusText.exec(text) ?? [];
  if (hundreds !== undefined)
    return { from: Number(hundreds) * 100, to: Number(hundreds) * 100 + 99 };
  return { from: Number(from), to: Number(to ?? from) };
}

const pattern = words.refine(isRegex, { error: 'expected a regular expression' });

function isRegex(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

const expectation = z
  .strictObject({
    status: z
      .union([oneStatus.transform((one) => [one]), z.array(oneStatus).min(1)], {
        error: 'expected a status such as 200, 2xx or [200, 404]',
      })
      .optional()
      .describe('what counts as answered; default 200-399'),
    body: z
      .strictObject({
        contains: words.optional(),
        excludes: words.optional(),
        matches: pattern.optional().describe('a regular expression, of the first 64 KiB'),
        excludesMatch: pattern.optional(),
      })
      .optional()
      .describe('held against the answer itself: many servers answer 200 while they fail'),
  })
  .describe('when a request counts as a success');

const grpc = z.strictObject({
  method: words
    .regex(/^[\w.]+\/\w+$/, { error: 'expected package.Service/Method' })
    .describe('grpc.health.v1.Health/Check'),
  message: z.record(z.string(), z.unknown()).optional().describe('as JSON; default: empty'),
  proto: words.optional().describe('a .proto file; default: the server is asked by reflection'),
});

const path = z
  .string()
  .regex(/^\/[^\s#]*$/, { error: 'expected a path that begins with / and has no blank' })
  .describe('placeholders as in headers');

const route = z
  .strictObject({
    name: z.string({ error: 'expected a name' }).regex(/^[A-Za-z0-9_][\w.:/{}*-]{0,99}$/, {
      error: 'expected letters, digits and any of _ . : / { } * -',
    }),
    service: words.optional().describe('whose objectives it is held to; default: its name'),
    request: z
      .string()
      .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\s+\/[^\s#]*$/, {
        error: 'expected a method and a path, such as GET /items',
      })
      .optional()
      .describe('GET /items'),
    method: z.string().regex(token, { error: 'expected a method' }).optional(),
    path: path.optional(),
    weight: rate.optional().describe('its share of the rate among the others'),
    rate: rate.optional().describe('requests a second of its own'),
    headers: headers.optional(),
    body: z.string().optional(),
    json: z.unknown().optional().describe('a body as JSON, with its content-type'),
    expect: expectation.optional(),
    grpc: grpc.optional().describe('a unary call instead of a request'),
  })
  .refine((r) => [r.request, r.path, r.grpc].filter((x) => x !== undefined).length === 1, {
    error: 'expected one of request, path and grpc',
  })
  .refine((r) => r.weight === undefined || r.rate === undefined, {
    error: 'expected one of weight and rate, not both',
  })
  .refine((r) => r.body === undefined || r.json === undefined, {
    error: 'expected one of body and json, not both',
  })
  .refine((r) => r.request === undefined || r.method === undefined, {
    error: 'the method is said twice: in request and in method',
  });

const stage = z.strictObject({
  for: duration,
  rate: z
    .number({ error: 'expected a number' })
    .min(0, { error: 'expected 0 or more' })
    .max(10_000, { error: 'expected at most 10000' })
    .describe('requests a second, all routes together'),
  ramp: z.boolean().optional().describe('reached evenly over the stage, not at once'),
});

const profileFields = {
  url: loadAddress.optional().describe('default: --url, or the entry of the system'),
  host: z
    .string()
    .regex(/^[^\s/]+$/, { error: 'expected a host name' })
    .optional()
    .describe("the Host header; default: the URL's own"),
  rate: rate.optional().describe('requests a second, all routes together; default 50'),
  timeout: duration.optional().describe('default 5s'),
  maxInFlight: z.int().min(1).max(10_000).optional().describe('default 200'),
  headers: headers.optional().describe('of every route'),
  expect: expectation.optional().describe('of every route that says nothing else'),
  stages: z.array(stage).min(1).max(100).optional(),
  routes: z.array(route, { error: 'expected a list of routes, one at least' }).min(1).max(200),
};

export const loadFileSchema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1', { error: 'expected firedrill.dev/v1' }).optional(),
  kind: z.literal('Load', { error: 'expected Load' }).optional(),
  ...profileFields,
});

export type LoadFile = z.output<typeof loadFileSchema>;

/** The schema of a firedrill.yaml's `load:`. */
export const inlineLoadSchema = z.union(
  [
    z.literal('existing'),
    words,
    z.strictObject({ profile: loadFileSchema }),
    z.strictObject({ k6: words, env: z.record(z.string(), z.string()).optional() }),
    z.strictObject({
      locust: words,
      users: z.int().min(1).max(10_000).optional(),
      spawnRate: rate.optional(),
    }),
    z.strictObject({ har: words }),
    z.strictObject({ openapi: words }),
  ],
  {
    error:
      'expected a file (load.yaml, script.js, locustfile.py, session.har), existing, or one of ' +
      'profile, k6, locust, har, openapi',
  },
);

export const loadJsonSchema = (): unknown =>
  z.toJSONSchema(loadFileSchema, { io: 'input', unrepresentable: 'any' });
