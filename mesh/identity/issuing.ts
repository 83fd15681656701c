/** The signer of workload certificates: a key and its chain up to the trust anchors, wherever they are kept. */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  X509Certificate,
} from 'node:crypto';
import { UserError } from '../../base/errors.js';
import { splitPem } from './csr.js';
import type { Denial } from './denials.js';
import { identityName, spiffeId, type WorkloadName } from './names.js';
import { createCertificate, notAfterMs, sha256Hex, type Signer } from './x509.js';

export interface LeafRequest {
  csr: Buffer;
  publicKeyDer: Buffer;
  name: WorkloadName;
  notBeforeMs: number;
  notAfterMs: number;
}

export interface Issuing {
  /** The bundle that proxies trust; more than one anchor during a rotation. */
  readonly anchors: readonly X509Certificate[];
  /** The certificates that a leaf's peer needs beside the anchors; the first one signs the leaves. */
  readonly chain: readonly X509Certificate[];
  /** Certificates that are refused whatever their dates. */
  readonly denied?: readonly Denial[];
  issue(request: LeafRequest): Promise<X509Certificate>;
}

/** The store of the issuer's key and the bundle, which may change: files, Kubernetes, Vault. */
export interface IssuerStore {
  readonly kind: string;
  /**
   * Resolves with the current state; `onChange` is called with each later usable state, never with an unusable one.
   */
  start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing>;
  stop(): Promise<void>;
}

/** An issuer whose certificates are built here. Throws a UserError when chain, key and anchors do not fit. */
export function localIssuing(parts: {
  anchors: readonly X509Certificate[];
  chain: readonly X509Certificate[];
  signer: Signer;
  nowMs: number;
}): Issuing {
  const { anchors, chain, signer } = parts;
  checkChain(anchors, chain, parts.nowMs);
  const issuer = chain[0] as X509Certificate;
  const own = signer.publicKey.export({ type: 'spki', format: 'der' });
  if (!own.equals(issuer.publicKey.export({ type: 'spki', format: 'der' }))) {
    throw new UserError("the issuer's key does not belong to the issuer's certificate");
  }
  return {
    anchors,
    chain,
    issue: (request) =>
      createCertificate(
        {
          publicKeyDer: request.publicKeyDer,
          commonName: `${request.name.serviceAccount}.${request.name.namespace}`,
          notBeforeMs: request.notBeforeMs,
          notAfterMs: request.notAfterMs,
          dnsNames: [identityName(request.name)],
          uris: [spiffeId(request.name)],
          issuer,
        },
        signer,
      ),
  };
}

/** Throws a UserError that names the wrong link. */
export function checkChain(
  anchors: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  nowMs: number,
): void {
  if (anchors.length === 0) throw new UserError('the trust bundle holds no certificate');
  if (chain.length === 0) throw new UserError("the issuer's chain holds no certificate");
  chain.forEach((certificate, i) => {
    const what =
      i === 0 ? "the issuer's certificate" : `certificate ${i + 1} of the issuer's chain`;
    if (!certificate.ca) throw new UserError(`${what} is not a CA certificate`);
    if (notAfterMs(certificate) <= nowMs) {
      throw new UserError(`${what} expired on ${certificate.validTo}`);
    }
    const above = i + 1 < chain.length ? [chain[i + 1] as X509Certificate] : anchors;
    if (!above.some((other) => isSignedBy(certificate, other))) {
      const by = i + 1 < chain.length ? 'the next one' : 'any trust anchor';
      throw new UserError(`${what} is not signed by ${by}`);
    }
  });
}

export function isSignedBy(certificate: X509Certificate, by: X509Certificate): boolean {
  return certificate.checkIssued(by) && certificate.verify(by.publicKey);
}

/** The certificates to send with a leaf: the chain without the anchors. */
export function intermediatesOf(issuing: Issuing): X509Certificate[] {
  const anchors = new Set(issuing.anchors.map((a) => a.fingerprint256));
  return issuing.chain.filter((certificate) => !anchors.has(certificate.fingerprint256));
}

/** Identifies an issuer: proxies compare it with the issuer of their own certificate. */
export const issuerHash = (issuing: Issuing): string =>
  sha256Hex((issuing.chain[0] as X509Certificate).raw);

/** A signer with a key in memory. */
export function keySigner(privateKey: KeyObject, publicKey: KeyObject): Signer {
  return { publicKey, sign: (data) => Promise.resolve(sign('sha256', data, privateKey)) };
}

/** A signer with the key of a PEM text; `what` names the text in the error when it holds none. */
export function readSigner(text: string, what: string): Signer {
  try {
    const privateKey = createPrivateKey(text);
    return keySigner(privateKey, createPublicKey(privateKey));
  } catch {
    throw new UserError({ message: `${what}: not a private key`, expected: 'PEM' });
  }
}

/**
 * The certificates of a PEM text; `what` names the text in the error when a certificate cannot be read or there is
 * none.
 */
export function readCertificates(text: string, what: string): X509Certificate[] {
  const certificates = splitPem(text).map((pem, i) => {
    try {
      return new X509Certificate(pem);
    } catch {
      throw new UserError(`${what}: certificate ${i + 1} cannot be read`);
    }
  });
  if (certificates.length === 0) {
    throw new UserError({ message: `${what}: no certificate`, expected: 'PEM' });
  }
  return certificates;
}
