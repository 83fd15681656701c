/** The incident file, checked; every mistake with its line. */
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { inputName, readInput } from '../../base/input.js';
import { compileRegistry } from '../controller/registry/compile.js';
import { duration, ratio } from '../controller/registry/fields.js';
import { checkYaml, readYaml } from '../../base/yaml.js';
import type { Destination } from '../model.js';
import { changed } from './change.js';
import { readConfigFile } from '../proxy/config-file.js';

const status = z.int().min(200).max(599);
const endpoint = z.string().default('*');
const workers = z.int().min(1).max(100_000);

const client = z.strictObject({
  ratePerSecond: z.number().positive().max(1_000_000),
  method: z
    .string()
    .regex(/^[A-Z]+$/, 'must be a method in capitals')
    .default('GET'),
  path: z.string().startsWith('/').default('/'),
  giveUpAfter: duration.default(10_000),
  from: duration.default(0),
  to: duration.optional(),
});

const server = z.strictObject({
  endpoint,
  service: duration.default(10),
  workers: workers.default(10),
  queue: z.int().min(0).max(1_000_000).default(100),
});

const isBefore = ({ from, to }: { from: number; to?: number | undefined }): boolean =>
  to === undefined || from < to;
const order = { path: ['to'], message: 'must be after from' };

const incident = z
  .strictObject({
    endpoint,
    from: duration,
    to: duration,
    service: duration.optional(),
    workers: workers.optional(),
    failRatio: ratio.default(0),
    status: status.default(503),
    refuse: z.boolean().default(false),
    hang: z.boolean().default(false),
  })
  .refine(isBefore, order);

const variant = z.strictObject({
  name: z.string().min(1).max(60),
  change: z.record(z.string(), z.unknown()).default({}),
});

const longestMs = 86_400_000;

const schema = z.strictObject({
  registry: z.string().optional(),
  proxy: z.string().optional(),
  trustDomain: z.string().default('simulated.local'),
  destination: z.string(),
  seed: z.int().default(1),
  duration: duration.refine((ms) => ms > 0 && ms <= longestMs, {
    message: 'must be above 0, and at most 1d',
  }),
  clients: z.array(client.refine(isBefore, order)).min(1),
  servers: z.array(server).default([]),
  incident: z.array(incident).default([]),
  compare: z
    .array(variant)
    .min(1)
    .default([
      { name: 'as configured', change: {} },
      { name: 'without budget', change: { retry: { budget: null } } },
      { name: 'without retries', change: { retry: null } },
    ]),
});

export type Client = z.output<typeof client>;
export type ServerSpec = z.output<typeof server>;
export type IncidentStep = z.output<typeof incident>;
export type Variant = z.output<typeof variant>;

export interface Incident extends Omit<z.output<typeof schema>, 'destination'> {
  destination: Destination;
}

/** More requests than this in one run would take minutes. */
const maxRequests = 5_000_000;

/** Throws a UserError with the place of every mistake. */
export function readIncident(file: string): Incident {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({
      message: `${inputName(file)}: not an incident`,
      expected: 'one YAML document',
    });
  }
  const spec = checkYaml(document, schema);
  const fail = (path: string, message: string, expected?: string): never => {
    const place = document.placeOf(path.split('.'));
    throw new UserError({ place, message, ...(expected !== undefined && { expected }) });
  };
  if ((spec.registry === undefined) === (spec.proxy === undefined)) {
    fail('', 'no configuration given', 'either registry or proxy');
  }
  const requests = spec.clients.reduce(
    (sum, c) => sum + (c.ratePerSecond * Math.max(0, (c.to ?? spec.duration) - c.from)) / 1000,
    0,
  );
  if (requests > maxRequests) fail('clients', `${Math.round(requests)} requests`, 'five million');
  const folder = dirname(resolve(file));
  const destinations = destinationsOf(spec, folder);
  const destination = destinations.find((d) => d.name === spec.destination);
  if (!destination) {
    return fail(
      'destination',
      `no destination ${spec.destination}`,
      destinations.map((d) => d.name).join(', ') || 'a configuration with destinations',
    );
  }
  const addresses = new Set(destination.backends.flatMap((b) => b.endpoints.map((e) => e.address)));
  for (const part of ['servers', 'incident'] as const) {
    spec[part].forEach(({ endpoint: address }, i) => {
      if (address === '*' || addresses.has(address)) return;
      fail(`${part}.${i}.endpoint`, `no endpoint ${address}`, [...addresses].join(', '));
    });
  }
  for (const part of ['clients', 'incident'] as const) {
    spec[part].forEach(({ from }, i) => {
      if (from >= spec.duration)
        fail(`${part}.${i}.from`, 'it begins after the end', 'a time within duration');
    });
  }
  spec.compare.forEach((one, i) => {
    try {
      changed(destination, one);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const [problem] = error.problems;
      fail(`compare.${i}.change`, problem?.message ?? error.message, problem?.expected);
    }
  });
  return { ...spec, destination };
}

function destinationsOf(spec: z.output<typeof schema>, folder: string): Destination[] {
  if (spec.registry !== undefined) {
    const path = resolve(folder, spec.registry);
    return compileRegistry(path, readInput(path), spec.trustDomain).snapshot.destinations;
  }
  return readConfigFile(resolve(folder, spec.proxy ?? '')).state?.destinations ?? [];
}
