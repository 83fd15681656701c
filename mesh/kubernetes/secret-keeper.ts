/** Rolls a trust anchor over in the Secret that `firedrill install` made; the controllers watch the Secret. */
import { X509Certificate } from 'node:crypto';
import { realClock } from '../../base/clock.js';
import { UserError } from '../../base/errors.js';
import { readCertificates } from '../identity/issuing.js';
import { keptAnchors } from '../identity/pki-files.js';
import type { AnchorKeeper } from '../identity/roll-over.js';
import { KubeApi } from './client/api.js';
import { findCredentials } from './client/credentials.js';
import { type KubeObject, resources } from './client/objects.js';
import { names } from './install/names.js';
import { issuerSecretOf } from './issuer-place.js';
import { makePki } from './secret-issuer.js';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

export async function secretKeeper(options: {
  kubeconfig?: string | undefined;
  namespace: string;
  trustDomain: string;
}): Promise<AnchorKeeper> {
  const api = new KubeApi(await findCredentials({ kubeconfig: options.kubeconfig }));
  const secret = await issuerSecretOf(api, options.namespace);
  if (secret !== undefined && secret !== names.issuerSecret) {
    throw new UserError({
      message: `the issuer is in secret ${options.namespace}/${secret}, which somebody else writes`,
      expected: 'the rotation at its source: first both anchors in ca.crt, then the new issuer',
    });
  }
  return secretKeeperOf(api, options.namespace, options.trustDomain);
}

/** The new issuer is made together with its anchor, so that the anchor's key never leaves this process's memory. */
export function secretKeeperOf(api: KubeApi, namespace: string, trustDomain: string): AnchorKeeper {
  let made: Record<string, string> | undefined;
  const where = names.issuerSecret;
  const part = (secret: Secret, field: string): X509Certificate[] => {
    const text = Buffer.from(secret.data?.[field] ?? '', 'base64').toString('utf8');
    if (text === '') throw new UserError(`secret ${namespace}/${where} lacks ${field}`);
    return readCertificates(text, `${where}: ${field}`);
  };
  /** The resourceVersion guards against a lost update: after a concurrent write this one fails. */
  const change = async (next: (secret: Secret) => Record<string, string>): Promise<void> => {
    const secret = await api.get<Secret>(resources.Secret, namespace, where);
    const data = Object.fromEntries(
      Object.entries(next(secret)).map(([k, text]) => [k, Buffer.from(text).toString('base64')]),
    );
    const { resourceVersion } = secret.metadata;
    await api.patch(resources.Secret, namespace, where, { metadata: { resourceVersion }, data });
  };
  const newest = (): Record<string, string> => {
    if (!made) throw new Error('no anchor was added');
    return made;
  };
  return {
    async add() {
      made = await makePki(trustDomain, realClock);
      await change((secret) => ({
        'ca.crt': `${newest()['ca.crt']}${text(part(secret, 'ca.crt'))}`,
      }));
      return new X509Certificate(newest()['ca.crt'] as string);
    },
    async move() {
      const pki = newest();
      const [certificate, key] = [pki['tls.crt'] as string, pki['tls.key'] as string];
      await change(() => ({ 'tls.crt': certificate, 'tls.key': key }));
      return new X509Certificate(certificate);
    },
    async dropOld() {
      let dropped = 0;
      await change((secret) => {
        const anchors = part(secret, 'ca.crt');
        const top = part(secret, 'tls.crt').at(-1) as X509Certificate;
        const kept = keptAnchors(anchors, top);
        dropped = anchors.length - kept.length;
        return { 'ca.crt': text(kept) };
      });
      return dropped;
    },
  };
}

const text = (certificates: readonly X509Certificate[]): string =>
  certificates.map((c) => c.toString()).join('');
