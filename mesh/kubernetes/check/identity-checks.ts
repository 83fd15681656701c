/** Checks of certificates: trust anchors, the issuer, the webhooks' own, and the proxies' trusted anchors. */
import { X509Certificate } from 'node:crypto';
import { isSignedBy, readCertificates } from '../../identity/issuing.js';
import { dnsNames, notAfterMs, notBeforeMs } from '../../identity/x509.js';
import { type AnyObject, resources } from '../client/objects.js';
import { names } from '../install/names.js';
import { issuerSecretOf } from '../issuer-place.js';
import type { Check, CheckContext, Failure } from './model.js';

const dayMs = 86_400_000;
const warnedDays = 60;
const rotate =
  'firedrill identity shows the steps of a rotation; see the runbook on certificate expiry';

async function secretPart(
  { api, namespace }: CheckContext,
  secret: string,
  part: string,
): Promise<string> {
  const found = await api.get<AnyObject>(resources.Secret, namespace, secret);
  const text = (found.data as Record<string, string> | undefined)?.[part];
  if (!text) throw new Error(`secret ${secret} has no ${part} yet: is the control plane running?`);
  return Buffer.from(text, 'base64').toString('utf8');
}

const issuerPart = async (
  c: CheckContext,
  secret: string | undefined,
  part: string,
): Promise<X509Certificate[]> =>
  readCertificates(await secretPart(c, secret ?? names.issuerSecret, part), part);

/** With Vault, the bundle is all that the cluster has of the certificates above a workload's. */
async function anchorsOf(c: CheckContext): Promise<X509Certificate[]> {
  const secret = await issuerSecretOf(c.api, c.namespace);
  if (secret !== undefined) return issuerPart(c, secret, 'ca.crt');
  return readCertificates(await publishedBundle(c), 'ca.crt');
}

async function publishedBundle({ api, namespace }: CheckContext): Promise<string> {
  const found = await api.find<AnyObject>(resources.ConfigMap, namespace, names.bundle);
  return (found?.data as Record<string, string> | undefined)?.['ca.crt'] ?? '';
}

/** A check of the issuer in its Secret. */
const ofIssuer =
  (run: Check['run']): Check['run'] =>
  async (c) => {
    if ((await issuerSecretOf(c.api, c.namespace)) !== undefined) return run(c);
    const reason = 'Vault signs the certificates, and the issuer is there';
    return { skipped: true, reason, fix: 'look at it in Vault' };
  };
const issuerOf = async (c: CheckContext): Promise<X509Certificate[]> =>
  issuerPart(c, await issuerSecretOf(c.api, c.namespace), 'tls.crt');

function within(certificates: X509Certificate[], nowMs: number): Failure | undefined {
  for (const certificate of certificates) {
    const subject = certificate.subject.replace(/\n/g, ', ');
    if (notAfterMs(certificate) <= nowMs) {
      return { reason: `${subject} expired on ${certificate.validTo}`, fix: rotate };
    }
    if (notBeforeMs(certificate) > nowMs) {
      return {
        reason: `${subject} is not valid before ${certificate.validFrom}`,
        fix: 'compare the clocks of nodes and controller',
      };
    }
  }
  return undefined;
}

function expiring(certificates: X509Certificate[], nowMs: number): Failure | undefined {
  const soon = certificates.find((c) => notAfterMs(c) - nowMs < warnedDays * dayMs);
  if (!soon) return undefined;
  const left = Math.floor((notAfterMs(soon) - nowMs) / dayMs);
  return { reason: `${soon.subject.replace(/\n/g, ', ')} has ${left} days left`, fix: rotate };
}

interface Webhooks extends AnyObject {
  webhooks?: { name: string; clientConfig: { caBundle?: string } }[];
}

const category = 'firedrill-identity';

export const identityChecks: Check[] = [
  {
    id: 'identity-anchors-valid',
    category,
    description: 'trust anchors are within their validity period',
    run: async (c) => within(await anchorsOf(c), c.clock.nowMs()),
  },
  {
    id: 'identity-anchors-lasting',
    category,
    description: `trust anchors are valid for at least ${warnedDays} days`,
    warning: true,
    run: async (c) => expiring(await anchorsOf(c), c.clock.nowMs()),
  },
  {
    id: 'identity-issuer-valid',
    category,
    description: 'the issuer certificate is within its validity period',
    run: ofIssuer(async (c) => within(await issuerOf(c), c.clock.nowMs())),
  },
  {
    id: 'identity-issuer-lasting',
    category,
    description: `the issuer certificate is valid for at least ${warnedDays} days`,
    warning: true,
    run: ofIssuer(async (c) => expiring(await issuerOf(c), c.clock.nowMs())),
  },
  {
    id: 'identity-issuer-chained',
    category,
    description: 'the issuer certificate is issued by a trust anchor',
    run: ofIssuer(async (c) => {
      const [anchors, chain] = [await anchorsOf(c), await issuerOf(c)];
      const top = chain[chain.length - 1] as X509Certificate;
      if (anchors.some((a) => isSignedBy(top, a))) return undefined;
      const reason = `no anchor of the bundle signed ${top.subject.replace(/\n/g, ', ')}`;
      return { reason, fix: 'put the anchor that signed it into ca.crt beside the others' };
    }),
  },
  {
    id: 'identity-bundle-published',
    category,
    description: 'the published trust bundle is the one in use',
    run: ofIssuer(async (c) => {
      const published = await publishedBundle(c);
      const fingerprints = (list: X509Certificate[]): string =>
        list
          .map((x) => x.fingerprint256)
          .sort()
          .join();
      const own = fingerprints(await anchorsOf(c));
      if (published && fingerprints(readCertificates(published, 'bundle')) === own)
        return undefined;
      return {
        reason: `ConfigMap ${names.bundle} differs from the issuer's ca.crt`,
        fix: 'restart the controller',
      };
    }),
  },
  {
    id: 'webhook-certificate-valid',
    category: 'firedrill-webhooks',
    description: 'the webhook certificate is valid, and for the right name',
    run: async (c) => {
      const pem = await secretPart(c, names.webhookSecret, 'tls.crt');
      const certificate = new X509Certificate(pem);
      const late = within([certificate], c.clock.nowMs());
      if (late)
        return { ...late, fix: 'restart the injector: it renews its certificate when it starts' };
      const name = `${names.injector}.${c.namespace}.svc`;
      if (dnsNames(certificate).includes(name)) return undefined;
      return { reason: `it is not for ${name}`, fix: 'restart the injector' };
    },
  },
  {
    id: 'webhook-ca-bundle',
    category: 'firedrill-webhooks',
    description: 'the webhooks trust the CA of their certificate',
    run: async (c) => {
      const ca = await secretPart(c, names.webhookSecret, 'ca.crt');
      const bundle = Buffer.from(ca).toString('base64');
      for (const [kind, name] of [
        ['MutatingWebhookConfiguration', names.mutatingWebhook],
        ['ValidatingWebhookConfiguration', names.validatingWebhook],
      ] as const) {
        const found = await c.api.get<Webhooks>(resources[kind], undefined, name);
        const { webhooks = [] } = found;
        if (webhooks.length === 0) {
          const fix = 'run firedrill upgrade --apply';
          return { reason: `${kind} ${name} has no webhook`, fix };
        }
        if (webhooks.some((w) => w.clientConfig.caBundle !== bundle)) {
          const reason = `the caBundle of ${kind} ${name} is not the injector's CA`;
          return { reason, fix: 'the injector mends it within a minute; see its log' };
        }
      }
      return undefined;
    },
  },
];
