/** The controller's configuration; README.md documents it. JSON is YAML, so one reader takes both. */
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { checkYaml, readYaml } from '../../base/yaml.js';
import { dottedName, duration, label } from './registry/fields.js';

const listen = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: z.int().min(0).max(65535).default(0),
});

/** Vault's own token in a file, or a pod's service account by Vault's auth method `kubernetes`. */
const vault = {
  address: z.url(),
  tokenFile: z.string().optional(),
  login: z
    .strictObject({
      mount: z.string().default('kubernetes'),
      role: z.string().min(1),
      jwtFile: z.string().default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
    })
    .optional(),
  caFile: z.string().optional(),
  /** A ConfigMap that gets the trust anchors, for pods. */
  bundle: z
    .strictObject({ namespace: label, configMap: dottedName, kubeconfig: z.string().optional() })
    .optional(),
};
const oneProof = (issuer: { tokenFile?: unknown; login?: unknown }): boolean =>
  (issuer.tokenFile === undefined) !== (issuer.login === undefined);
const proofNeeded = { error: 'expected either tokenFile or login', path: ['tokenFile'] };

const issuer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('files'),
    /** Holds trust-anchor.crt, issuer.crt and issuer.key, unless the files are named one by one. */
    folder: z.string().default('pki'),
    trustAnchorsFile: z.string().optional(),
    certificateFile: z.string().optional(),
    keyFile: z.string().optional(),
    create: z.boolean().default(false),
  }),
  z
    .strictObject({
      kind: z.literal('vault-pki'),
      ...vault,
      mount: z.string().default('pki'),
      role: z.string(),
      /** Anchors beside Vault's CA, during a rotation. */
      trustAnchorsFile: z.string().optional(),
    })
    .refine(oneProof, proofNeeded),
  z
    .strictObject({
      kind: z.literal('vault-transit'),
      ...vault,
      mount: z.string().default('transit'),
      key: z.string(),
      trustAnchorsFile: z.string(),
      certificateFile: z.string(),
    })
    .refine(oneProof, proofNeeded),
  z.strictObject({
    kind: z.literal('kubernetes'),
    namespace: label,
    secret: dottedName,
    /** Holds the denials, and is filled if it is the issuer's too; absent: `secret`. */
    ownSecret: dottedName.optional(),
    /** ConfigMap with the bundle; absent: the secret's ca.crt. */
    bundleConfigMap: dottedName.optional(),
    kubeconfig: z.string().optional(),
  }),
]);

/** Written by an installation, whose values choose between its own issuer and Vault. */
const chosenVault = z.discriminatedUnion('enabled', [
  z.looseObject({ enabled: z.literal(false) }),
  z.strictObject({
    enabled: z.literal(true),
    ...vault,
    mount: z.string(),
    role: z.string(),
  }),
]);

const discovery = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), path: z.string() }),
  // mesh/kubernetes defines and checks the other fields.
  z.looseObject({ kind: z.literal('kubernetes') }),
]);

const configSchema = z.strictObject({
  trustDomain: dottedName,
  listen: listen.default({ host: '127.0.0.1', port: 0 }),
  admin: listen.default({ host: '127.0.0.1', port: 0 }),
  /** This replica's name, in logs and leases. */
  replica: z.string().default(`pid-${process.pid}`),
  identity: z
    .strictObject({
      name: z.string().optional(),
      issuer: issuer.default({ kind: 'files', folder: 'pki', create: false }),
      /** If enabled, the issuer instead of `issuer`: `vault-pki`. */
      vault: chosenVault.optional(),
      certificateLifetime: duration.default(86_400_000),
      clockSkew: duration.default(10_000),
      /**
       * After the issuer or bundle changed, proxies renew over this time; default: lifetime / 10, at most 5 minutes.
       */
      renewSpread: duration.optional(),
      /** The anchor's key signs a new issuer at 2/3 of the old one's life (files only). */
      rotateIssuer: z.boolean().default(false),
      joinTokens: z.strictObject({ folder: z.string() }).optional(),
      /** TokenReview; mesh/kubernetes defines the fields. */
      kubernetes: z.looseObject({}).optional(),
    })
    .transform(({ vault: chosen, issuer: own, ...rest }) => {
      if (!chosen?.enabled) return { ...rest, issuer: own };
      const { enabled: _enabled, ...connection } = chosen;
      return { ...rest, issuer: { kind: 'vault-pki' as const, ...connection } };
    })
    .default({
      issuer: { kind: 'files', folder: 'pki', create: false },
      certificateLifetime: 86_400_000,
      clockSkew: 10_000,
      rotateIssuer: false,
    }),
  discovery: z.array(discovery).default([]),
  /** A folder that replicas share, for the leader's lease. Absent: this replica leads. */
  lease: z.strictObject({ file: z.string(), duration: duration.default(15_000) }).optional(),
  events: z.strictObject({ file: z.string() }).optional(),
});

export type ControllerConfig = z.output<typeof configSchema>;
export type IssuerConfig = ControllerConfig['identity']['issuer'];
export type Bundle = NonNullable<Extract<IssuerConfig, { kind: 'vault-pki' }>['bundle']>;

/** Reads the file; its relative paths are resolved against its folder. Throws a UserError with places. */
export function readControllerConfig(file: string): ControllerConfig {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({ message: `${file}: not a configuration`, expected: 'one YAML document' });
  }
  return absolute(checkYaml(document, configSchema), dirname(resolve(file)));
}

/** The same from a value, for tests and embedding. Paths are not changed. */
export function controllerConfig(value: z.input<typeof configSchema>): ControllerConfig {
  return configSchema.parse(value);
}

const pathFields = new Set([
  'path',
  'file',
  'folder',
  'tokenFile',
  'jwtFile',
  'caFile',
  'trustAnchorsFile',
  'certificateFile',
  'keyFile',
  'kubeconfig',
]);

function absolute<T>(value: T, folder: string): T {
  if (Array.isArray(value)) return value.map((v: unknown) => absolute(v, folder)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [
      key,
      pathFields.has(key) && typeof v === 'string' ? resolve(folder, v) : absolute(v, folder),
    ]),
  ) as T;
}
