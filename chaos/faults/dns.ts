/** Faults of the names that a service with its own network looks up; its resolver (`resolver.ts`) holds them. */
import * as z from 'zod';
import { type FaultKind, growing, ms, type Ramp, ratio, seed } from './kind.js';

const common = {
  /** Default: every name. */
  name: z.string().min(1).max(253).toLowerCase().optional(),
  ratio: ratio.default(1),
  seed,
};

export const dnsSettings = {
  'dns-slow': z.strictObject({ latencyMs: ms, ...common }),
  'dns-wrong': z.strictObject({
    // Nobody's address (RFC 5737), which a network of a service's own refuses.
    address: z.ipv4().default('203.0.113.1'),
    /** How long the service may keep the wrong answer, even once the fault has ended. */
    ttlSeconds: z.int().min(1).max(86_400).optional(),
    ...common,
  }),
  'dns-fails': z.strictObject({
    answer: z.enum(['nxdomain', 'servfail', 'refused', 'empty', 'none']).default('nxdomain'),
    ...common,
  }),
};

export type DnsKind = keyof typeof dnsSettings;
export type DnsFault = {
  [K in DnsKind]: { kind: K; target: string } & z.output<(typeof dnsSettings)[K]>;
}[DnsKind];

export const isDnsKind = (kind: unknown): kind is DnsKind =>
  typeof kind === 'string' && Object.hasOwn(dnsSettings, kind);

const atResolver = (kind: DnsKind, summary: string, ramp: Ramp): FaultKind => ({
  summary,
  settings: dnsSettings[kind],
  targets: 'resolver',
  effectUnit: 'answers changed or held back',
  ramp,
  points: (system, target, settings) =>
    system
      .workloads(target)
      .filter(({ name }) => system.description.resolvers?.includes(name))
      .map(({ name }) => ({
        url: system.admin,
        target: name,
        body: { kind, target: name, ...settings },
      })),
});

export const dnsKinds = {
  'dns-slow': atResolver('dns-slow', 'names are answered later', growing('latencyMs')),
  'dns-wrong': atResolver('dns-wrong', 'names lead to another address', growing('ratio')),
  'dns-fails': atResolver(
    'dns-fails',
    'names are answered nxdomain, servfail, refused or empty, or with no answer (`none`)',
    growing('ratio'),
  ),
} satisfies Record<DnsKind, FaultKind>;
