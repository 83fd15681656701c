/**
 * An issuer whose key never leaves Vault: with `vault-pki` Vault builds the certificates (pki/sign/ROLE); with
 * `vault-transit` they are built here and signed by a transit key.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { type Clock, type Timer } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';
import type { IssuerConfig } from '../controller/config.js';
import { toPem } from './csr.js';
import {
  checkChain,
  isSignedBy,
  type Issuing,
  type IssuerStore,
  type LeafRequest,
  localIssuing,
  readCertificates,
} from './issuing.js';
import { identityName, spiffeId } from './names.js';
import { readAnchors } from './pki-files.js';
import { VaultApi } from './vault-api.js';
import { dnsNames, notAfterMs, publicKeyDerOf, type Signer } from './x509.js';

type PkiConfig = Extract<IssuerConfig, { kind: 'vault-pki' }>;
type TransitConfig = Extract<IssuerConfig, { kind: 'vault-transit' }>;

/** The chain and the key's versions are polled at this interval; Vault offers no watch. */
const pollMs = 30_000;

export function createVaultStore(
  config: IssuerConfig,
  clock: Clock,
  options: { pollMs?: number } = {},
): IssuerStore {
  if (config.kind !== 'vault-pki' && config.kind !== 'vault-transit') {
    throw new Error(`${config.kind} is not Vault's`);
  }
  const api = new VaultApi(config, clock);
  const read =
    config.kind === 'vault-pki'
      ? () => readPki(api, config, clock)
      : () => readTransit(api, config, clock);
  return new VaultStore(config.kind, read, clock, options.pollMs ?? pollMs);
}

interface Reading {
  issuing: Issuing;
  /** Changes when any part of the chain changes. */
  mark: string;
}

class VaultStore implements IssuerStore {
  readonly kind: string;
  readonly #read: () => Promise<Reading>;
  readonly #clock: Clock;
  readonly #pollMs: number;
  #timer: Timer | undefined;
  #mark = '';
  #busy = false;

  constructor(kind: string, read: () => Promise<Reading>, clock: Clock, everyMs: number) {
    this.kind = kind;
    this.#read = read;
    this.#clock = clock;
    this.#pollMs = everyMs;
  }

  async start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing> {
    let first: Reading;
    try {
      first = await this.#read();
    } catch (error) {
      throw error instanceof UserError ? error : new UserError(`Vault: ${messageOf(error)}`);
    }
    this.#mark = first.mark;
    this.#timer = this.#clock.every(this.#pollMs, () => {
      if (this.#busy) return;
      this.#busy = true;
      this.#read()
        .then(
          ({ issuing, mark }) => {
            if (mark === this.#mark) return;
            this.#mark = mark;
            onChange(issuing);
          },
          (error: unknown) => onProblem(`Vault: ${messageOf(error)}`),
        )
        .finally(() => (this.#busy = false));
    });
    return first.issuing;
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }
}

async function readPki(api: VaultApi, config: PkiConfig, clock: Clock): Promise<Reading> {
  const mount = config.mount;
  const pem = await api.text(`${mount}/ca_chain`);
  const all = readCertificates(pem, `${mount}/ca_chain`);
  const roots = all.filter((c) => isSignedBy(c, c));
  const extra = config.trustAnchorsFile
    ? readAnchors({ trustAnchorsFile: config.trustAnchorsFile })
    : [];
  const anchors = unique([...roots, ...extra]);
  const chain = all.filter((c) => !roots.includes(c));
  // A mount that is itself a root signs leaves with its anchor.
  const issuers = chain.length > 0 ? chain : roots.slice(0, 1);
  checkChain(anchors, issuers, clock.nowMs());
  return {
    issuing: { anchors, chain: issuers, issue: (leaf) => signByPki(api, config, leaf, issuers) },
    mark: markOf(anchors, issuers),
  };
}

async function signByPki(
  api: VaultApi,
  config: PkiConfig,
  leaf: LeafRequest,
  issuers: readonly X509Certificate[],
): Promise<X509Certificate> {
  const identity = identityName(leaf.name);
  const answer = await api.call('POST', `${config.mount}/sign/${config.role}`, {
    csr: toPem('CERTIFICATE REQUEST', leaf.csr),
    common_name: identity,
    alt_names: identity,
    uri_sans: spiffeId(leaf.name),
    not_after: new Date(leaf.notAfterMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    format: 'pem',
  });
  const [made] = readCertificates(String(answer.certificate), 'the certificate that Vault made');
  const certificate = made as X509Certificate;
  // A role can override the request: a certificate with another name or key must not be handed out.
  const names = dnsNames(certificate);
  if (!names.includes(identity)) {
    throw new Error(`role ${config.role} made a certificate without the name ${identity}`);
  }
  if (certificate.ca || names.some((name) => name !== identity)) {
    throw new Error(`role ${config.role} made a certificate for more than the name ${identity}`);
  }
  if (!publicKeyDerOf(certificate).equals(leaf.publicKeyDer)) {
    throw new Error(`role ${config.role} made a certificate for another key`);
  }
  if (!isSignedBy(certificate, issuers[0] as X509Certificate)) {
    throw new Error("the certificate's issuer is not the first of the chain");
  }
  return certificate;
}

async function readTransit(api: VaultApi, config: TransitConfig, clock: Clock): Promise<Reading> {
  const anchors = readAnchors(config);
  const chain = readCertificates(readInput(config.certificateFile), config.certificateFile);
  const own = publicKeyDerOf(chain[0] as X509Certificate);
  const answer = await api.call('GET', `${config.mount}/keys/${config.key}`);
  const versions = Object.entries((answer.keys ?? {}) as Record<string, { public_key?: string }>);
  for (const [version, { public_key: pem }] of versions) {
    if (!pem) continue;
    const publicKey = createPublicKey(pem);
    if (!publicKey.export({ type: 'spki', format: 'der' }).equals(own)) continue;
    const signer = transitSigner(api, config, Number(version), publicKey);
    const issuing = localIssuing({ anchors, chain, signer, nowMs: clock.nowMs() });
    return { issuing, mark: markOf(anchors, chain) };
  }
  throw new UserError(
    `no version of ${config.mount}/keys/${config.key} belongs to ${config.certificateFile}`,
  );
}

function transitSigner(
  api: VaultApi,
  config: TransitConfig,
  version: number,
  publicKey: KeyObject,
): Signer {
  return {
    publicKey,
    async sign(data) {
      const answer = await api.call('POST', `${config.mount}/sign/${config.key}/sha2-256`, {
        input: data.toString('base64'),
        key_version: version,
        ...(publicKey.asymmetricKeyType === 'rsa'
          ? { signature_algorithm: 'pkcs1v15' }
          : { marshaling_algorithm: 'asn1' }),
      });
      const match = /^vault:v\d+:(.+)$/.exec(String(answer.signature));
      if (!match) throw new Error(`${config.mount}/sign/${config.key}: no signature came`);
      return Buffer.from(match[1] as string, 'base64');
    },
  };
}

const unique = (certificates: readonly X509Certificate[]): X509Certificate[] => [
  ...new Map(certificates.map((c) => [c.fingerprint256, c])).values(),
];

const markOf = (...lists: (readonly X509Certificate[])[]): string =>
  lists.map((list) => list.map((c) => `${c.fingerprint256}/${notAfterMs(c)}`).join()).join('|');
