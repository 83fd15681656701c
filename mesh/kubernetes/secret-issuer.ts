/** Keeps the issuer and the trust bundle in a Secret: created if empty, watched, and applied without a restart. */
import { type Clock } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import { generateWorkloadKey } from '../identity/csr.js';
import {
  type Issuing,
  type IssuerStore,
  keySigner,
  localIssuing,
  readCertificates,
  readSigner,
} from '../identity/issuing.js';
import { createCertificate } from '../identity/x509.js';
import type { KubeApi } from './client/api.js';
import { isStatus } from './client/api.js';
import { Informer } from './client/informer.js';
import { type KubeObject, resources } from './client/objects.js';
import { denialsOf } from './secret-denials.js';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

const dayMs = 86_400_000;
const headStartMs = 60_000;

export interface SecretIssuerOptions {
  namespace: string;
  secret: string;
  trustDomain: string;
  clock: Clock;
  log(line: string): void;
}

/**
 * `ca.crt` holds the bundle, `tls.crt` the issuer's chain, `tls.key` its key (cert-manager's names). The anchor's own
 * key is not kept: a roll-over of the anchor writes a new bundle.
 */
export class SecretIssuerStore implements IssuerStore {
  readonly kind = 'kubernetes';
  readonly #api: KubeApi;
  readonly #options: SecretIssuerOptions;
  #informer: Informer<Secret> | undefined;

  constructor(api: KubeApi, options: SecretIssuerOptions) {
    this.#api = api;
    this.#options = options;
  }

  async start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing> {
    const { namespace, secret } = this.#options;
    const found = await this.#ensure();
    const first = this.#read(found);
    let lastVersion = found.metadata.resourceVersion;
    this.#informer = new Informer<Secret>(this.#api, resources.Secret, {
      namespace,
      // The field selector names the Secret, so that the controller needs access to this one only.
      fieldSelector: `metadata.name=${secret}`,
      onProblem: (message) => message !== undefined && onProblem(message),
    });
    this.#informer.onChange((now) => {
      if (!now || now.metadata.resourceVersion === lastVersion) return;
      lastVersion = now.metadata.resourceVersion;
      try {
        onChange(this.#read(now));
      } catch (error) {
        // Invalid content is never applied: the last good issuer continues to sign.
        onProblem(`secret ${namespace}/${secret}: ${messageOf(error)}`);
      }
    });
    void this.#informer.start();
    return first;
  }

  stop(): Promise<void> {
    this.#informer?.stop();
    return Promise.resolve();
  }

  async #ensure(): Promise<Secret> {
    const { namespace, secret } = this.#options;
    for (;;) {
      const found = await this.#api.find<Secret>(resources.Secret, namespace, secret);
      if (!found) {
        throw new UserError(
          `secret ${namespace}/${secret} is not there: firedrill install makes it`,
        );
      }
      if (found.data?.['tls.crt']) return found;
      this.#options.log(
        `secret ${namespace}/${secret} is empty: making a trust anchor and an issuer`,
      );
      const made = await makePki(this.#options.trustDomain, this.#options.clock);
      try {
        // The resourceVersion lets one of several replicas write; the others read its result.
        return await this.#api.patch<Secret>(resources.Secret, namespace, secret, {
          metadata: { resourceVersion: found.metadata.resourceVersion },
          data: Object.fromEntries(
            Object.entries(made).map(([name, text]) => [
              name,
              Buffer.from(text).toString('base64'),
            ]),
          ),
        });
      } catch (error) {
        if (!isStatus(error, 409)) throw error;
      }
    }
  }

  #read(secret: Secret): Issuing {
    const { namespace, secret: name } = this.#options;
    const part = (field: string): string => {
      const text = secret.data?.[field];
      if (!text) throw new UserError(`secret ${namespace}/${name} lacks ${field}`);
      return Buffer.from(text, 'base64').toString('utf8');
    };
    const issuing = localIssuing({
      anchors: readCertificates(part('ca.crt'), `${name}: ca.crt`),
      chain: readCertificates(part('tls.crt'), `${name}: tls.crt`),
      signer: readSigner(part('tls.key'), `${name}: tls.key`),
      nowMs: this.#options.clock.nowMs(),
    });
    return { ...issuing, denied: denialsOf(secret) };
  }
}

/** Makes a trust anchor of ten years and an issuer of one, in PEM. The anchor's key is discarded at once. */
export async function makePki(trustDomain: string, clock: Clock): Promise<Record<string, string>> {
  const nowMs = clock.nowMs();
  const anchorKey = generateWorkloadKey();
  const issuerKey = generateWorkloadKey();
  const anchorSigner = keySigner(anchorKey.privateKey, anchorKey.publicKey);
  const anchor = await createCertificate(
    {
      publicKeyDer: anchorKey.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: `root.${trustDomain}`,
      notBeforeMs: nowMs - headStartMs,
      notAfterMs: nowMs + 3650 * dayMs,
      ca: { pathLength: 1 },
    },
    anchorSigner,
  );
  const issuer = await createCertificate(
    {
      publicKeyDer: issuerKey.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: `issuer.${trustDomain}`,
      notBeforeMs: nowMs - headStartMs,
      notAfterMs: nowMs + 365 * dayMs,
      ca: { pathLength: 0 },
      issuer: anchor,
    },
    anchorSigner,
  );
  return {
    'ca.crt': anchor.toString(),
    'tls.crt': issuer.toString(),
    'tls.key': issuerKey.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
