/** The registry file's schema; README.md shows every field with its default. */
import * as z from 'zod';
import {
  address,
  cidr,
  defaultPolicy,
  dottedName,
  duration,
  host,
  label,
  labels,
  port,
  protocol,
} from './fields.js';
import { backendPolicy } from '../../schema/backend.js';
import { budgetFields, rateLimitFields, routeFields } from '../../schema/route.js';
import { optionalReaders, readerOf } from './field-schema.js';

const rateLimit = readerOf(rateLimitFields);
const retryBudget = readerOf(budgetFields);
const route = readerOf(routeFields);

const endpoint = z
  .strictObject({
    address,
    identity: z.string().min(1).optional(),
    plaintext: z.boolean().optional(),
    http2: z.boolean().optional(),
    weight: z.number().min(0).optional(),
    zone: z.string().optional(),
    labels: labels.optional(),
  })
  .refine((e) => !(e.plaintext && e.identity), {
    message: 'cannot be plaintext and have an identity',
  });

/** Below it, names would be asked for without a pause; above it, no timer is that long. */
const interval = duration.refine((ms) => ms >= 100 && ms <= 86_400_000, {
  message: 'must be from 100ms to 1d',
});

const dns = z
  .strictObject({
    name: z.string().min(1),
    port: port.optional(),
    type: z.enum(['A', 'AAAA', 'SRV']).default('A'),
    plaintext: z.boolean().default(false),
    /** The shortest and the longest interval at which names are resolved again, whatever their TTL. */
    minTtl: interval.default(1000),
    maxTtl: interval.default(300_000),
  })
  .refine((d) => d.minTtl <= d.maxTtl, { message: 'minTtl is above maxTtl' });

const backendFields = {
  serviceAccount: dottedName.optional(),
  endpoints: z.array(endpoint).optional(),
  dns: dns.optional(),
  selector: z.strictObject({ labels, port: z.union([label, port]) }).optional(),
  ...optionalReaders(backendPolicy),
};

const backend = z.strictObject({ name: z.string().min(1), ...backendFields });

export const service = z.strictObject({
  name: label,
  namespace: label,
  hosts: z.array(host).default([]),
  addresses: z.array(address).default([]),
  protocol: protocol.default('detect'),
  ...backendFields,
  backends: z.array(backend).default([]),
  routes: z.array(route).default([]),
  retryBudget: retryBudget.optional(),
});

const server = z.strictObject({
  workload: label.optional(),
  namespace: label,
  labels: labels.optional(),
  name: z.string().min(1),
  port,
  target: address,
  protocol: protocol.default('detect'),
  policy: defaultPolicy.optional(),
  routes: z.array(route).default([]),
  rateLimit: rateLimit.optional(),
  maxConcurrent: z.int().positive().optional(),
});

const from = z
  .strictObject({
    serviceAccount: dottedName.optional(),
    namespace: label.optional(),
    identity: z
      .string()
      .regex(/^(\*|(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*)$/, 'must be a name, *.suffix, or *')
      .optional(),
    network: cidr.optional(),
    unauthenticated: z.literal(true).optional(),
  })
  .superRefine((f, context) => {
    const issue = (message: string): void => context.addIssue({ code: 'custom', message });
    if (Object.values(f).every((v) => v === undefined)) {
      issue(
        'names no client; expected serviceAccount, namespace, identity, network or unauthenticated',
      );
    }
    if (f.serviceAccount && !f.namespace) issue('serviceAccount needs its namespace');
    if (f.identity && f.namespace) issue('identity and namespace exclude each other');
    if (f.unauthenticated && (f.identity || f.namespace)) {
      issue('unauthenticated excludes identity and namespace');
    }
  });

const authorization = z
  .strictObject({
    name: z.string().min(1),
    namespace: label,
    workload: label.optional(),
    server: z.string().min(1).optional(),
    routes: z.array(z.string()).min(1).optional(),
    from: z.array(from),
  })
  .refine((a) => a.workload !== undefined || a.server !== undefined, {
    message: 'must name a workload, a server, or both',
  });

const externalWorkload = z.strictObject({
  name: label,
  namespace: label,
  serviceAccount: dottedName.optional(),
  address: z.union([z.ipv4(), z.ipv6()]),
  ports: z.record(label, port),
  labels: labels.default({}),
  plaintext: z.boolean().default(false),
  zone: z.string().optional(),
});

export const registrySchema = z.strictObject({
  defaults: z
    .strictObject({
      policy: defaultPolicy.default('all-unauthenticated'),
      unknownDestinations: z.enum(['forward', 'refuse']).default('forward'),
    })
    .default({ policy: 'all-unauthenticated', unknownDestinations: 'forward' }),
  services: z.array(service).default([]),
  servers: z.array(server).default([]),
  authorizations: z.array(authorization).default([]),
  externalWorkloads: z.array(externalWorkload).default([]),
});

export type Registry = z.output<typeof registrySchema>;
export type RegistryService = z.output<typeof service>;
export type RegistryBackend = z.output<typeof backend>;
export type RegistryServer = Registry['servers'][number];
export type RegistryDns = z.output<typeof dns>;
