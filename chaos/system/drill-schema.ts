/** The format of firedrill.yaml: the system under drill, its rules and its load; README.md explains it. */
import * as z from 'zod';
import { parseDurationMs } from '../../base/duration.js';
import { rolesSchema } from '../gameday/roles.js';
import { guardSchema } from '../guard/guard-schema.js';
import { identifier, labels, text } from '../scenarios/fields.js';
import { attachSchema } from './attach/attach-schema.js';
import { kubernetesSchema } from './kubernetes/kubernetes-schema.js';
import { watchSchema } from './watch-schema.js';

/** A duration of processes: real time, which no time scale shortens. */
const realDuration = z
  .string()
  .refine((value) => parseDurationMs(value) !== undefined, {
    error: 'expected a duration such as 5s or 2m',
  })
  .transform((value) => parseDurationMs(value) as number);

const units = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };
const size = z
  .string()
  .regex(/^[1-9]\d{0,6}(KB|MB|GB)$/, { error: 'expected a size such as 16MB' })
  .transform((text) => parseInt(text, 10) * units[text.slice(-2) as keyof typeof units]);

const name = identifier;
const command = z
  .union([z.array(text).min(1, { error: 'expected a program' }), text], {
    error: 'expected a list of arguments, or one text for sh',
  })
  .describe('a program and its arguments; one text is given to sh -c');
const protocol = z.enum(['http', 'grpc', 'tcp'], { error: 'expected http, grpc or tcp' });
const port = z.union([z.literal('auto'), z.int().min(1).max(65_535)], {
  error: 'expected auto, or a port from 1 to 65535',
});
const scale = z
  .union([text, z.number().gt(0).lte(1)], { error: 'expected auto, or a fraction such as 1/240' })
  .describe('what windows and durations are multiplied by; auto: chosen from the rules');

const urlPath = text.transform((path) => (path.startsWith('/') ? path : `/${path}`));

const ready = z
  .strictObject({
    http: urlPath.optional().describe('a path that answers 2xx or 3xx'),
    tcp: name.optional().describe('a port that accepts connections'),
    log: text.optional().describe('a regular expression that a line of its output matches'),
    port: name.optional().describe('of the path; default: the first one'),
    within: realDuration.default(30_000),
  })
  .refine((r) => [r.http, r.tcp, r.log].filter((x) => x !== undefined).length === 1, {
    error: 'expected one of http, tcp, log',
  });

const address = text
  .regex(/^[^\s:/]+:\d{1,5}$/, { error: 'expected host:port', abort: true })
  .refine((value) => Number(value.split(':')[1]) >= 1 && Number(value.split(':')[1]) <= 65_535, {
    error: 'expected a port from 1 to 65535',
  });

const call = z
  .strictObject({
    service: name.optional(),
    dependency: name.optional(),
    port: name.optional().describe('of the service; default: its first one'),
    protocol: protocol.optional().describe("default: the called one's"),
    at: address
      .optional()
      .describe(
        "where a service with network: own believes it to be; default: the dependency's address",
      ),
  })
  .refine((c) => (c.service === undefined) !== (c.dependency === undefined), {
    error: 'expected either service or dependency',
  });

const service = z.strictObject({
  command,
  env: z.record(z.string(), z.union([text, z.number(), z.boolean(), z.literal('')])).default({}),
  folder: text.default('.').describe('its working directory, from the file on'),
  replicas: z.int().min(1).max(20).default(1),
  ports: z
    .record(name, port)
    .refine((ports) => Object.keys(ports).length > 0, { error: 'expected a port' })
    .default({ http: 'auto' })
    .describe('the first one is the one that is called'),
  protocol: protocol.default('http').describe('of the first port'),
  ready: ready.optional().describe('default: its first port accepts connections'),
  calls: z.record(name, call).default({}),
  metrics: z
    .strictObject({
      path: urlPath.default('/metrics'),
      port: name.optional(),
      job: text.optional().describe("default: the service's name"),
      labels,
    })
    .optional()
    .describe('scraped with the labels service and workload'),
  stop: z
    .strictObject({
      signal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP']).default('SIGTERM'),
      within: realDuration.default(5000),
    })
    .default({ signal: 'SIGTERM', within: 5000 }),
  sidecar: z
    .strictObject({
      accessLog: text
        .optional()
        .describe("a file, as seen from the drill's folder, or stdout; default: off"),
      traces: z
        .strictObject({
          url: text.describe('where spans are sent by OTLP: http://127.0.0.1:4318/v1/traces'),
          sample: z.number().min(0).max(1).describe('the share of requests that are traced'),
        })
        .optional(),
    })
    .optional()
    .describe('what its sidecar tells of each request besides its metrics'),
  network: z
    .enum(['shared', 'own'], { error: 'expected shared or own' })
    .default('shared')
    .describe(
      'own: a network namespace, in which each call is found at its own address (at): root, on Linux',
    ),
  disk: size
    .optional()
    .describe('its data folder is a disk of that size, which can be full: root, on Linux'),
  restart: realDuration
    .refine((ms) => ms >= 100, { error: 'expected at least 100ms' })
    .optional()
    .describe('how long after it ended by itself it is started again; default: never'),
});

const processes = z.strictObject({
  kind: z.literal('processes'),
  prepare: z.array(command).default([]).describe('run once before, ten minutes each at most'),
  mesh: z
    .enum(['mtls', 'plain', 'relays'], {
      error: ({ input }) =>
        input === 'transparent'
          ? 'calls are redirected for a service (network: own), with any mesh; expected mtls, plain or relays'
          : 'expected mtls, plain or relays',
    })
    .default('relays')
    .describe(
      'mtls: a sidecar a service, with identities; plain: without TLS; relays: on the way out only',
    ),
  services: z
    .record(name, service)
    .refine((services) => Object.keys(services).length > 0, { error: 'expected a service' }),
  dependencies: z
    .record(
      name,
      z.strictObject({
        address,
        protocol: protocol.default('tcp'),
      }),
    )
    .default({})
    .describe('outside addresses; each call goes through a relay that can be struck'),
  entry: name.optional().describe('the service that the load calls; default: the first one'),
});

const supervisor = z.strictObject({
  kind: z.literal('supervisor'),
  command: z
    .array(text)
    .min(1)
    .describe('starts the system, says {"admin": PORT} on its first line, and answers GET /system'),
});

export const drillSchema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1', { error: "expected 'firedrill.dev/v1'" }),
  kind: z.literal('Drill', { error: "expected 'Drill'" }),
  name,
  timeScale: scale.default('auto'),
  system: z.discriminatedUnion('kind', [processes, supervisor, attachSchema, kubernetesSchema], {
    error: 'expected kind: processes, attach, kubernetes or supervisor',
  }),
  slos: z.array(text).default([]).describe('files, or patterns such as slos/*.yaml'),
  rules: z.array(text).default([]).describe('rule files of Prometheus, or patterns'),
  library: z
    .boolean()
    .default(false)
    .describe("whether the library's alerts on the mesh are evaluated too"),
  alertmanager: text.optional().describe('the alertmanager.yml that is under test'),
  watch: watchSchema.optional(),
  silences: text
    .optional()
    .describe('silences of production (amtool silence query -o json), in force during the drill'),
  load: z.unknown().optional().describe('what is sent to the entry: a file, or the load itself'),
  scenarios: z.array(text).default([]).describe('files, patterns, or built-in names'),
  guard: guardSchema.default({ confirm: false }),
  roles: rolesSchema.optional(),
});

export type DrillFile = z.output<typeof drillSchema>;
export type SystemSpec = DrillFile['system'];
export type ProcessesSpec = Extract<SystemSpec, { kind: 'processes' }>;
export type ServiceSpec = ProcessesSpec['services'][string];
export type CallSpec = ServiceSpec['calls'][string];
export type Protocol = z.output<typeof protocol>;

export const drillJsonSchema = (): unknown => z.toJSONSchema(drillSchema, { io: 'input' });
