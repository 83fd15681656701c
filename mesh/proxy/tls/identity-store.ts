/** The certificate in use and its trust anchors: replaced as a whole, without touching a connection. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../../../base/clock.js';
import { readAnchors, splitPem } from '../../identity/csr.js';
import { dnsNamesIn } from '../../identity/names.js';
import type { ProxyMetrics } from '../telemetry/proxy-metrics.js';

export interface IdentityMaterial {
  certificateChainPem: string;
  keyPem: string;
  trustAnchorsPem: string;
}

const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
/** From OpenSSL 3.5 on (Node 24): traffic recorded today stays secret from future quantum computers. */
const hasPostQuantum = major > 3 || (major === 3 && minor >= 5);

/** TLS 1.3 only. The first cipher is the cheapest on processors with AES instructions, which servers have. */
const common: SecureContextOptions = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  ecdhCurve: hasPostQuantum ? 'X25519MLKEM768:X25519:P-256' : 'X25519:P-256',
};

export class IdentityStore {
  readonly #clock: Clock;
  readonly #metrics: ProxyMetrics;
  readonly #name: string | undefined;
  #options: SecureContextOptions | undefined;
  #context: SecureContext | undefined;
  #leaf: X509Certificate | undefined;
  /** Grows with each change: TLS sessions of an older generation are dropped. */
  generation = 0;
  readonly #listeners: (() => void)[] = [];

  /** `name`: the workload's own, which the certificate must have. */
  constructor(clock: Clock, metrics: ProxyMetrics, name?: string) {
    this.#name = name;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Throws when the parts do not fit together; the old ones stay in use. */
  set(material: IdentityMaterial): void {
    try {
      this.#set(material);
    } catch (error) {
      this.#metrics.certificateRefreshErrors++;
      throw error;
    }
  }

  #set({ certificateChainPem, keyPem, trustAnchorsPem }: IdentityMaterial): void {
    const leaf = new X509Certificate(certificateChainPem);
    const names = dnsNamesIn(leaf.subjectAltName);
    if (this.#name !== undefined && !names.includes(this.#name)) {
      throw new Error(`the certificate is for ${names.join(', ')}, and not for ${this.#name}`);
    }
    if (leaf.ca) throw new Error("the certificate is an authority's, and no workload's");
    const ca = splitPem(trustAnchorsPem);
    // A secure context passes over text that is none.
    readAnchors(ca);
    const options: SecureContextOptions = {
      ...common,
      cert: certificateChainPem,
      key: keyPem,
      ca,
    };
    // Throws when the key belongs to another certificate.
    const context = createSecureContext(options);
    const isRenewed = this.#leaf?.fingerprint256 !== leaf.fingerprint256;
    this.#options = options;
    this.#context = context;
    this.#leaf = leaf;
    this.generation++;
    const metrics = this.#metrics;
    metrics.certificateExpirySeconds = Date.parse(leaf.validTo) / 1000;
    metrics.certificateNotBeforeSeconds = Date.parse(leaf.validFrom) / 1000;
    if (isRenewed) {
      metrics.certificateRefreshes++;
      metrics.certificateRefreshedSeconds = this.#clock.nowMs() / 1000;
    }
    for (const listener of this.#listeners) listener();
  }

  /** Expiry of the certificate in use: wall time, milliseconds. */
  get notAfterMs(): number {
    return this.#leaf ? Date.parse(this.#leaf.validTo) : 0;
  }

  /** Undefined until there is a certificate. */
  get context(): SecureContext | undefined {
    return this.#context;
  }

  /** For tls.Server.setSecureContext. */
  get options(): SecureContextOptions | undefined {
    return this.#options;
  }

  get isReady(): boolean {
    return this.#context !== undefined;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** For GET /config: contains no secrets. */
  describe(): Record<string, unknown> | undefined {
    const leaf = this.#leaf;
    return (
      leaf && {
        names: dnsNamesIn(leaf.subjectAltName),
        notBefore: new Date(leaf.validFrom).toISOString(),
        notAfter: new Date(leaf.validTo).toISOString(),
        serial: leaf.serialNumber,
        issuer: leaf.issuer,
      }
    );
  }
}
