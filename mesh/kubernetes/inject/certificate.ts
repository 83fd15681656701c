/**
 * The webhook's serving certificate: in a Secret, renewed at 2/3 of its lifetime, with its CA written to its readers.
 */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../../base/clock.js';
import { UserError } from '../../../base/errors.js';
import { generateWorkloadKey } from '../../identity/csr.js';
import { keySigner } from '../../identity/issuing.js';
import { createCertificate, dnsNames, notAfterMs, notBeforeMs } from '../../identity/x509.js';
import { isStatus, type KubeApi } from '../client/api.js';
import { type KubeObject, resources } from '../client/objects.js';

export interface ServingCertificate {
  /** PEM. */
  certificate: string;
  key: string;
  /** The CA that callers trust; for a while after a renewal, also the previous CA. */
  ca: string;
}

export interface CertificateOptions {
  namespace: string;
  secret: string;
  /** Names of the service, such as `firedrill-injector.firedrill.svc`. */
  dnsNames: string[];
  lifetimeMs: number;
  clock: Clock;
}

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

interface Webhooks extends KubeObject {
  webhooks?: { name: string; clientConfig: { caBundle?: string } }[];
}

const headStartMs = 60_000;

function needsRenewal(pem: string, names: readonly string[], nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    const from = notBeforeMs(certificate);
    const to = notAfterMs(certificate);
    const own = dnsNames(certificate);
    return nowMs >= from + ((to - from) * 2) / 3 || names.some((name) => !own.includes(name));
  } catch {
    return true;
  }
}

/** The body of GET /metrics on the webhook's port, for the alert on the certificate's expiry. */
export function certificateMetrics(serving: Pick<ServingCertificate, 'certificate'>): string {
  const name = 'firedrill_webhook_cert_expiration_timestamp_seconds';
  const seconds = notAfterMs(new X509Certificate(serving.certificate)) / 1000;
  return (
    `# HELP ${name} When the certificate of the webhooks expires, seconds since the epoch.\n` +
    `# TYPE ${name} gauge\n${name} ${seconds}\n`
  );
}

export async function makeServingCertificate(
  options: Pick<CertificateOptions, 'dnsNames' | 'lifetimeMs'>,
  nowMs: number,
): Promise<ServingCertificate> {
  const caKey = generateWorkloadKey();
  const key = generateWorkloadKey();
  const signer = keySigner(caKey.privateKey, caKey.publicKey);
  const times = { notBeforeMs: nowMs - headStartMs, notAfterMs: nowMs + options.lifetimeMs };
  const ca = await createCertificate(
    {
      publicKeyDer: caKey.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: 'firedrill webhook CA',
      ...times,
      ca: { pathLength: 0 },
    },
    signer,
  );
  const leaf = await createCertificate(
    {
      publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: options.dnsNames[0] ?? 'firedrill',
      ...times,
      dnsNames: options.dnsNames,
      issuer: ca,
    },
    signer,
  );
  return {
    certificate: leaf.toString(),
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    ca: ca.toString(),
  };
}

/** The Secret's certificate, issued or renewed when due. One of several replicas writes it; the others read it. */
export async function ensureServingCertificate(
  api: KubeApi,
  options: CertificateOptions,
): Promise<ServingCertificate> {
  const { namespace, secret, clock } = options;
  for (;;) {
    const found = await api.find<Secret>(resources.Secret, namespace, secret);
    if (!found) {
      throw new UserError(`secret ${namespace}/${secret} is not there: firedrill install makes it`);
    }
    const part = (name: string): string =>
      Buffer.from(found.data?.[name] ?? '', 'base64').toString('utf8');
    const present = { certificate: part('tls.crt'), key: part('tls.key'), ca: part('ca.crt') };
    if (!needsRenewal(present.certificate, options.dnsNames, clock.nowMs())) return present;
    const made = await makeServingCertificate(options, clock.nowMs());
    // Callers may read the bundle before a replica has the new leaf, so the previous CA stays trusted.
    const before = present.ca.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? '';
    const next = { ...made, ca: made.ca + before };
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    try {
      await api.patch(resources.Secret, namespace, secret, {
        metadata: { resourceVersion: found.metadata.resourceVersion },
        data: {
          'tls.crt': encode(next.certificate),
          'tls.key': encode(next.key),
          'ca.crt': encode(next.ca),
        },
      });
      return next;
    } catch (error) {
      if (!isStatus(error, 409)) throw error;
    }
  }
}

/** Writes the CA into a webhook configuration that lacks it. Returns whether it was written. */
export async function patchBundle(
  api: KubeApi,
  kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration',
  name: string,
  ca: string,
): Promise<boolean> {
  const found = await api.find<Webhooks>(resources[kind], undefined, name);
  if (!found) throw new UserError(`${kind} ${name} is not there: firedrill install makes it`);
  const bundle = Buffer.from(ca).toString('base64');
  const patch = (found.webhooks ?? []).flatMap((w, i) =>
    w.clientConfig.caBundle === bundle
      ? []
      : [{ op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: bundle }],
  );
  if (patch.length === 0) return false;
  await api.patch(resources[kind], undefined, name, patch);
  return true;
}
