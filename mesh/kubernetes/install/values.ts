/** The options of an installation: the same names in `--set`, in `--values FILE` and in the chart's values.yaml. */
import * as z from 'zod';
import { packageVersion } from '../../../base/paths.js';
import { UserError } from '../../../base/errors.js';
import { parseDurationMs } from '../../../base/duration.js';
import { problemsOf, readYaml, wordsOf } from '../../../base/yaml.js';
import { accessPolicies } from '../../schema/choices.js';
import { bytesOf, leastMemoryBytes } from '../inject/resources.js';
import { names } from './names.js';

// Helm refuses by the patterns too: they are a part of values.schema.json, in Go's syntax.
const like = (pattern: RegExp, expected: string) =>
  z.string().regex(pattern, { message: `expected ${expected}`, abort: true });
const quantity = like(/^\d+(\.\d+)?(m|[kMGT]i?)?$/, 'a quantity such as 100m or 64Mi');
const label = like(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a DNS label such as firedrill');
// Identities end with it, and a DNS name has at most 253 characters.
const domain = like(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
  'a domain name in lower case such as cluster.local',
).max(150);
const objectName = like(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  "an object's name such as mesh-issuer",
);
const imageName = like(
  /^([\w.-]+(:\d+)?\/)?[a-z0-9._-]+(\/[a-z0-9._-]+)*(:[\w.-]{1,128})?(@sha256:[0-9a-f]{64})?$/,
  'an image such as registry.example.com/firedrill:0.1.0',
);
const resources = z
  .strictObject({
    requests: z.strictObject({ cpu: quantity, memory: quantity }),
    limits: z.strictObject({ memory: quantity }),
  })
  .refine(({ requests, limits }) => bytesOf(requests.memory) <= bytesOf(limits.memory), {
    path: ['requests', 'memory'],
    message: 'more than limits.memory, which Kubernetes refuses',
  })
  .refine(({ limits }) => bytesOf(limits.memory) >= leastMemoryBytes, {
    path: ['limits', 'memory'],
    message: 'expected at least 32Mi: with less, a process does not start',
  });

const minuteMs = 60_000;
const yearMs = 365 * 24 * 60 * minuteMs;
const lifetime = like(/^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$/, 'a duration such as 24h').refine((text) => {
  const ms = parseDurationMs(text) ?? 0;
  return ms >= minuteMs && ms <= yearMs;
}, 'expected a duration of 1m to 365d, such as 24h');

const valuesSchema = z.strictObject({
  namespace: label,
  trustDomain: domain,
  clusterDomain: domain,
  image: imageName,
  imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']),
  defaultInboundPolicy: z.enum(accessPolicies),
  controller: z.strictObject({ replicas: z.int().min(1).max(9), resources }),
  injector: z.strictObject({
    replicas: z.int().min(1).max(9),
    /** `Fail` makes pods wait for the injector; `Ignore` lets them start without a proxy. */
    failurePolicy: z.enum(['Ignore', 'Fail']),
    resources,
  }),
  proxy: z.strictObject({
    nativeSidecar: z.boolean(),
    drainSeconds: z.int().min(0).max(3600),
    otlpUrl: like(/^(https?:\/\/[^\s]+)?$/, 'http://… or https://…, or nothing'),
    resources,
  }),
  /** Redirects pods' traffic from outside, by a DaemonSet, so that pods pass Pod Security's `restricted`. */
  redirector: z.strictObject({ enabled: z.boolean(), resources }),
  identity: z
    .strictObject({
      certificateLifetime: lifetime,
      /** Of the control plane's namespace. Another name than the default: somebody else makes and renews it. */
      issuerSecret: objectName,
      /** Vault's secrets engine `pki` issues certificates, instead of the controller with a key in a Secret. */
      vault: z.strictObject({
        enabled: z.boolean(),
        address: like(/^(https:\/\/[^\s/]+)?$/, 'https://HOST:PORT'),
        /** Of the secrets engine, and its role. */
        mount: z.string().min(1),
        role: z.string().min(1),
        /** Of the auth method `kubernetes`, and its role for the controller's service account. */
        loginMount: z.string().min(1),
        loginRole: z.string().min(1),
      }),
    })
    .refine(({ vault }) => !vault.enabled || vault.address !== '', {
      path: ['vault', 'address'],
      message: 'expected https://HOST:PORT, since identity.vault.enabled is true',
    }),
  monitoring: z.strictObject({
    /** A scrape configuration, rules and dashboards as ConfigMaps. */
    enabled: z.boolean(),
    /** PodMonitors and a PrometheusRule; they need the Prometheus Operator's definitions. */
    operator: z.boolean(),
    /** The objects' label `release`, by which kube-prometheus-stack's Prometheus selects them. */
    release: like(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, "a label's value"),
    interval: like(/^[1-9]\d*(s|m)$/, 'a duration such as 15s'),
  }),
  podDisruptionBudget: z.strictObject({ enabled: z.boolean() }),
  networkPolicy: z.strictObject({ enabled: z.boolean() }),
});

export type Values = z.output<typeof valuesSchema>;

/** The chart's values.schema.json, by which Helm refuses a misspelt value. Helm itself knows the namespace. */
export function valuesJsonSchema(): unknown {
  const chart = valuesSchema.omit({ namespace: true }).extend({ global: z.unknown().optional() });
  return z.toJSONSchema(chart, { target: 'draft-7', io: 'input' });
}

const container = (cpu: string, memory: string, limit: string): Values['proxy']['resources'] => ({
  requests: { cpu, memory },
  limits: { memory: limit },
});

export const defaultValues = (): Values => ({
  namespace: 'firedrill',
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  image: `firedrill/firedrill:${packageVersion()}`,
  imagePullPolicy: 'IfNotPresent',
  defaultInboundPolicy: 'all-unauthenticated',
  controller: { replicas: 1, resources: container('100m', '128Mi', '250Mi') },
  injector: {
    replicas: 1,
    failurePolicy: 'Ignore',
    resources: container('50m', '96Mi', '200Mi'),
  },
  proxy: {
    nativeSidecar: true,
    drainSeconds: 30,
    otlpUrl: '',
    // Measured on a node: idle 1 millicore and 16 MiB; at 100 requests per second 40 millicores and 26 MiB.
    resources: container('10m', '32Mi', '150Mi'),
  },
  redirector: { enabled: false, resources: container('10m', '64Mi', '150Mi') },
  identity: {
    certificateLifetime: '24h',
    issuerSecret: names.issuerSecret,
    vault: {
      enabled: false,
      address: '',
      mount: 'pki',
      role: 'firedrill',
      loginMount: 'kubernetes',
      loginRole: 'firedrill-controller',
    },
  },
  // Measured on a node: 109 series for each proxy with one route.
  monitoring: { enabled: true, operator: false, release: '', interval: '15s' },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: true },
});

/** The values that `--ha` adds to the defaults: the chart's values-ha.yaml. */
export const haValues = {
  controller: { replicas: 3 },
  injector: { replicas: 3, failurePolicy: 'Fail' },
  podDisruptionBudget: { enabled: true },
} as const;

type Tree = { [key: string]: unknown };
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function merge(base: Tree, over: Tree): Tree {
  const made: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = made[key];
    made[key] = isTree(below) && isTree(value) ? merge(below, value) : value;
  }
  return made;
}

const parsed = (text: string): unknown =>
  /^\d+$/.test(text) ? Number(text) : /^(true|false)$/.test(text) ? text === 'true' : text;

export interface ValueOptions {
  ha?: boolean | undefined;
  values?: readonly string[] | undefined;
  set?: readonly string[] | undefined;
  /** The values of an earlier installation. */
  stored?: Tree | undefined;
}

/** Defaults, then stored values, then --ha, then --values files in order, then --set. Throws a UserError. */
export function readValues(options: ValueOptions): Values {
  let tree: Tree = defaultValues();
  if (options.stored) tree = merge(tree, options.stored);
  if (options.ha) tree = merge(tree, haValues);
  for (const file of options.values ?? []) {
    const [document] = readYaml(file);
    if (!document) continue;
    if (!isTree(document.value)) throw new UserError(`${file}: expected a map of values`);
    // Checked over the defaults first, so that a mistake is reported with its place in the file.
    const alone = valuesSchema.safeParse(merge(defaultValues(), document.value));
    if (!alone.success) throw new UserError(problemsOf(document, alone.error));
    tree = merge(tree, document.value);
  }
  for (const assignment of options.set ?? []) {
    const at = assignment.indexOf('=');
    if (at < 1) throw new UserError({ message: `--set ${assignment}`, expected: 'NAME=VALUE' });
    const path = assignment.slice(0, at).split('.');
    const text = assignment.slice(at + 1);
    // The text of a value that is text may be a number, such as a namespace 2026.
    const usual = path.reduce<unknown>((at, key) => (isTree(at) ? at[key] : at), defaultValues());
    const value = typeof usual === 'string' ? text : parsed(text);
    tree = merge(
      tree,
      path.reduceRight<unknown>((below, key) => ({ [key]: below }), value) as Tree,
    );
  }
  const result = valuesSchema.safeParse(tree);
  if (result.success) return result.data;
  throw new UserError(
    result.error.issues.map((issue) => ({
      message:
        issue.code === 'unrecognized_keys'
          ? `unknown value '${[...issue.path, issue.keys[0]].join('.')}'`
          : `value ${issue.path.join('.')}: ${wordsOf(issue)}`,
    })),
  );
}
