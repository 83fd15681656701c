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
  /** The installation's own Secret, if somebody else writes `secret`, who would not keep the denials there. */
  ownSecret?: string | undefined;
  trustDomain: string;
  clock: Clock;
  log(line: string): void;
}

const parts = ['tls.crt', 'tls.key', 'ca.crt'] as const;
const expectedParts =
  "tls.crt (the issuer's certificate, then those between it and an anchor), tls.key and ca.crt (the trust anchors)";

/**
 * `ca.crt` holds the bundle, `tls.crt` the issuer's chain, `tls.key` its key (cert-manager's names). The anchor's own
 * key is not kept: a roll-over of the anchor writes a new bundle.
 */
export class SecretIssuerStore implements IssuerStore {
  readonly kind = 'kubernetes';
  readonly #api: KubeApi;
  readonly #options: SecretIssuerOptions;
  readonly #own: string;
  readonly #found = new Map<string, Secret>();
  #informers: Informer<Secret>[] = [];

  constructor(api: KubeApi, options: SecretIssuerOptions) {
    this.#api = api;
    this.#options = options;
    this.#own = options.ownSecret ?? options.secret;
  }

  async start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing> {
    const { namespace, secret } = this.#options;
    const names = [...new Set([secret, this.#own])];
    for (const name of names) this.#found.set(name, await this.#ensure(name));
    const first = this.#read();
    this.#informers = names.map((name) => {
      const informer = new Informer<Secret>(this.#api, resources.Secret, {
        namespace,
        // The field selector names the Secret, so that the controller needs access to this one only.
        fieldSelector: `metadata.name=${name}`,
        onProblem: (message) => message !== undefined && onProblem(message),
      });
      informer.onChange((now) => {
        const before = this.#found.get(name);
        if (!now || now.metadata.resourceVersion === before?.metadata.resourceVersion) return;
        this.#found.set(name, now);
        try {
          onChange(this.#read());
        } catch (error) {
          // Invalid content is never applied: the last good issuer continues to sign.
          onProblem(messageOf(error));
        }
      });
      void informer.start();
      return informer;
    });
    return first;
  }

  stop(): Promise<void> {
    for (const informer of this.#informers) informer.stop();
    return Promise.resolve();
  }

  async #ensure(secret: string): Promise<Secret> {
    const { namespace } = this.#options;
    const isOurs = this.#own === this.#options.secret;
    for (;;) {
      const found = await this.#api.find<Secret>(resources.Secret, namespace, secret);
      if (!found) {
        throw new UserError(
          secret === this.#own
            ? `secret ${namespace}/${secret} is not there: firedrill install makes it`
            : {
                message: `secret ${namespace}/${secret} (identity.issuerSecret) is not there yet`,
                expected: expectedParts,
              },
        );
      }
      if (found.data?.['tls.crt'] || !isOurs) return found;
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

  /** Throws a UserError that names the Secret and the part that is missing or wrong. */
  #read(): Issuing {
    const { namespace, secret: name, clock } = this.#options;
    const where = `secret ${namespace}/${name}`;
    const { data = {} } = this.#found.get(name) as Secret;
    const missing = parts.filter((part) => !data[part]);
    if (missing.length > 0) {
      const has = Object.keys(data).sort().join(', ');
      throw new UserError({
        message: `${where} lacks ${missing.join(', ')}; it has ${has || 'nothing'}`,
        expected: expectedParts,
      });
    }
    const part = (field: (typeof parts)[number]): string =>
      Buffer.from(data[field] as string, 'base64').toString('utf8');
    const chain = readCertificates(part('tls.crt'), `${where}: tls.crt`);
    const anchors = readCertificates(part('ca.crt'), `${where}: ca.crt`);
    const signer = readSigner(part('tls.key'), `${where}: tls.key`);
    try {
      const issuing = localIssuing({ anchors, chain, signer, nowMs: clock.nowMs() });
      return { ...issuing, denied: denialsOf(this.#found.get(this.#own) as Secret) };
    } catch (error) {
      throw new UserError(`${where}: ${messageOf(error)}`);
    }
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
