/** The identity service: verifies the requester, and has a short-lived certificate issued. */
import type { X509Certificate } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { Allowance } from '../proxy/http2/allowance.js';
import type { CertifyRequest, CertifyResponse } from '../controller/api/messages.js';
import { type Attestation, type Attestor, Refusal, type RefusalReason } from './attestor.js';
import { isDenied } from './denials.js';
import type { CertificateEvents } from './events.js';
import { intermediatesOf, isSignedBy, issuerHash, type Issuing } from './issuing.js';
import { identityName, parseIdentity, spiffeId, type WorkloadName } from './names.js';
import { CsrError, dnsNames, notAfterMs, notBeforeMs, readCsr, sha256Hex } from './x509.js';

export interface AuthorityOptions {
  trustDomain: string;
  lifetimeMs: number;
  /** Certificates begin this much in the past, and an expired certificate still proves an identity for this long. */
  clockSkewMs: number;
  attestors: readonly Attestor[];
  clock: Clock;
  events: CertificateEvents;
  /** For drills: refuses all requests, shifts the dates of certificates, or changes their lifetime. */
  fault?: { frozen(): boolean; skewMs(): number; lifetimeMs(configuredMs: number): number };
}

/** The client certificate of the connection; `trusted`: TLS verified it up to an anchor, including its dates. */
export interface ClientCertificate {
  certificate: X509Certificate;
  trusted: boolean;
}

/** Refusals that are recorded as events, after the first hundred; the metric counts all. */
const toldPerSecond = 1;

export class CertificateAuthority {
  readonly #options: AuthorityOptions;
  #issuing: Issuing;
  /** Earlier issuers, with their chains, whose certificates may still be in use. */
  #earlier: (readonly X509Certificate[])[] = [];
  readonly #refusals: Allowance;
  readonly issued = { join: 0, renewal: 0 };
  readonly refused = new Map<RefusalReason, number>();

  constructor(options: AuthorityOptions, issuing: Issuing) {
    this.#options = options;
    this.#refusals = new Allowance(100, toldPerSecond, options.clock.monotonicMs());
    this.#issuing = issuing;
    this.#note('issuer-loaded');
  }

  get issuing(): Issuing {
    return this.#issuing;
  }

  get trustDomain(): string {
    return this.#options.trustDomain;
  }

  /** Switches to a new issuer or bundle; later certificates are signed by it. */
  setIssuing(issuing: Issuing): void {
    const rotated = issuerHash(issuing) !== issuerHash(this.#issuing);
    if (rotated) {
      const nowMs = this.#options.clock.nowMs();
      this.#earlier = [this.#issuing.chain, ...this.#earlier]
        .filter(([issuer]) => issuer && notAfterMs(issuer) > nowMs)
        .slice(0, 8);
    }
    // An anchor may be dropped because keys below it were stolen: its issuers are no longer trusted.
    this.#earlier = this.#earlier.filter((chain) => leadsTo(issuing.anchors, chain));
    const bundle = bundleOf(issuing) !== bundleOf(this.#issuing);
    this.#issuing = issuing;
    if (rotated) this.#note('issuer-rotated');
    if (bundle) this.#note('bundle-changed');
  }

  /** Rejects with Refusal, counted and recorded. */
  async certify(
    request: CertifyRequest,
    client: ClientCertificate | undefined,
  ): Promise<CertifyResponse> {
    try {
      return await this.#certify(request, client);
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal('issuer-unavailable', messageOf(error));
      this.refused.set(refusal.reason, (this.refused.get(refusal.reason) ?? 0) + 1);
      // Anybody can be refused: the log must not grow as fast as strangers ask.
      const isTold = this.#refusals.spend(1, () => this.#options.clock.monotonicMs());
      if (!isTold) throw refusal;
      this.#options.events.record({
        event: 'refused',
        identity: request.identity.slice(0, 253),
        reason: refusal.reason,
        message: refusal.message,
      });
      throw refusal;
    }
  }

  /** A certificate for the controller itself, which needs no proof. */
  async certifyOwn(
    name: WorkloadName,
    csr: Buffer,
    lifetimeMs: number,
  ): Promise<{ leaf: X509Certificate; chain: X509Certificate[] }> {
    const { publicKeyDer } = readCsr(csr);
    const leaf = await this.#issue(name, csr, publicKeyDer, lifetimeMs, 0);
    return { leaf, chain: intermediatesOf(this.#issuing) };
  }

  async #certify(
    request: CertifyRequest,
    client: ClientCertificate | undefined,
  ): Promise<CertifyResponse> {
    const { clock, trustDomain } = this.#options;
    if (this.#options.fault?.frozen()) {
      throw new Refusal('frozen', 'a drill has frozen the identity service');
    }
    const name = parseIdentity(request.identity);
    if (!name || name.trustDomain !== trustDomain) {
      throw new Refusal('wrong-identity', `not a name of the trust domain ${trustDomain}`);
    }
    const csr = readRequest(request.csr);
    // An issuer elsewhere, such as Vault, may copy each of the request's names into the certificate.
    const isOther =
      csr.dnsNames.some((dns) => dns !== request.identity) ||
      csr.uris.some((uri) => uri !== spiffeId(name)) ||
      csr.otherNames > 0;
    if (isOther) {
      throw new Refusal('wrong-identity', 'the certificate request is for another name');
    }
    const proof = await this.#prove(request, sha256Hex(csr.publicKeyDer), client);
    if (proof.identity !== request.identity) {
      throw new Refusal('wrong-identity', `the ${proof.kind} is of ${proof.identity}`);
    }
    const { lifetimeMs } = this.#options;
    const skewMs = this.#options.fault?.skewMs() ?? 0;
    const leaf = await this.#issue(
      name,
      request.csr,
      csr.publicKeyDer,
      this.#options.fault?.lifetimeMs(lifetimeMs) ?? lifetimeMs,
      skewMs,
    );
    const renewal = proof.kind === 'certificate';
    this.issued[renewal ? 'renewal' : 'join']++;
    this.#options.events.record({
      event: renewal ? 'renewed' : 'issued',
      identity: request.identity,
      serial: leaf.serialNumber,
      notAfter: new Date(notAfterMs(leaf)).toISOString(),
      issuer: issuerHash(this.#issuing),
      proof: proof.kind,
    });
    return {
      chain: [leaf, ...intermediatesOf(this.#issuing)].map((certificate) => certificate.raw),
      trustAnchors: this.#issuing.anchors.map((anchor) => anchor.raw),
      notBeforeMs: notBeforeMs(leaf),
      notAfterMs: notAfterMs(leaf),
      timeMs: clock.nowMs(),
    };
  }

  async #issue(
    name: WorkloadName,
    csr: Buffer,
    publicKeyDer: Buffer,
    lifetimeMs: number,
    skewMs: number,
  ): Promise<X509Certificate> {
    const nowMs = this.#options.clock.nowMs() + skewMs;
    const issuer = this.#issuing.chain[0] as X509Certificate;
    const own = identityName(name);
    // The certificate begins after the identity's denied certificates, or it would be denied too; dates count in
    // seconds.
    const deniedMs = Math.max(
      0,
      ...(this.#issuing.denied ?? []).map((d) => (d.identity === own ? (d.before ?? 0) : 0)),
    );
    const begins = Math.ceil((deniedMs + 1) / 1000) * 1000;
    const leaf = await this.#issuing.issue({
      csr,
      publicKeyDer,
      name,
      notBeforeMs: Math.max(nowMs - this.#options.clockSkewMs, begins),
      // A leaf must not outlive its issuer: no peer would accept it.
      notAfterMs: Math.min(nowMs + lifetimeMs, notAfterMs(issuer)),
    });
    return leaf;
  }

  async #prove(
    request: CertifyRequest,
    publicKeyHash: string,
    client: ClientCertificate | undefined,
  ): Promise<{ identity: string; kind: string }> {
    if (request.token !== '') {
      for (const attestor of this.#options.attestors) {
        const named = (name: Attestation): string =>
          identityName({ ...name, trustDomain: this.#options.trustDomain });
        const admit = (name: Attestation): void => {
          if (named(name) === request.identity) return;
          throw new Refusal('wrong-identity', `the ${attestor.kind} is of ${named(name)}`);
        };
        const who = await attestor.attest({ token: request.token, publicKeyHash, admit });
        if (!who) continue;
        return { identity: named(who), kind: attestor.kind };
      }
      throw new Refusal('bad-token', 'no attestor knows this kind of token');
    }
    if (!client) throw new Refusal('bad-token', 'neither a token nor a client certificate');
    const [identity = ''] = dnsNames(client.certificate);
    if (this.isDenied(client.certificate)) {
      throw new Refusal(
        'denied-certificate',
        `certificate ${client.certificate.serialNumber} of ${identity} is denied: join again with a token`,
      );
    }
    if (client.certificate.ca) {
      throw new Refusal('untrusted-certificate', "an authority's certificate proves no workload");
    }
    // TLS verified the certificate at the handshake; the connection may be older than the certificate's life.
    if (!client.trusted) this.#checkIssuer(client.certificate);
    this.#checkDates(client.certificate);
    return { identity, kind: 'certificate' };
  }

  /** Denied by its serial number, or with all certificates of its identity. */
  isDenied(certificate: X509Certificate): boolean {
    const shown = { serial: certificate.serialNumber, notBeforeMs: notBeforeMs(certificate) };
    return ['', ...dnsNames(certificate)].some((identity) =>
      isDenied(this.#issuing.denied ?? [], { ...shown, identity }),
    );
  }

  /**
   * Whether a leaf, dates aside, leads to a current anchor, by this authority's issuers or by the chain that was
   * sent.
   */
  provesChain(certificate: X509Certificate): boolean {
    const issuers = [this.#issuing.chain, ...this.#earlier].map(([issuer]) => issuer);
    if (issuers.some((issuer) => issuer && isSignedBy(certificate, issuer))) return true;
    return leadsTo(this.#issuing.anchors, sentWith(certificate));
  }

  /**
   * For a certificate that TLS refused, perhaps only for its dates: one of this authority's issuers must have signed
   * it.
   */
  #checkIssuer(certificate: X509Certificate): void {
    if (!this.provesChain(certificate)) {
      throw new Refusal(
        'untrusted-certificate',
        'the client certificate is of no issuer of this authority',
      );
    }
  }

  #checkDates(certificate: X509Certificate): void {
    const { clock, clockSkewMs } = this.#options;
    const nowMs = clock.nowMs();
    const early = notBeforeMs(certificate) - clockSkewMs > nowMs;
    if (early || notAfterMs(certificate) + clockSkewMs < nowMs) {
      throw new Refusal(
        'expired-certificate',
        `the client certificate was valid until ${certificate.validTo}: join again with a token`,
      );
    }
  }

  #note(event: 'issuer-loaded' | 'issuer-rotated' | 'bundle-changed'): void {
    const issuer = this.#issuing.chain[0] as X509Certificate;
    this.#options.events.record({
      event,
      serial: issuer.serialNumber,
      notAfter: new Date(notAfterMs(issuer)).toISOString(),
      issuer: issuerHash(this.#issuing),
      anchors: this.#issuing.anchors.map((anchor) => sha256Hex(anchor.raw)),
    });
  }
}

/** Whether each certificate is a CA and signed by the next, until one is an anchor or is signed by one. */
function leadsTo(anchors: readonly X509Certificate[], chain: readonly X509Certificate[]): boolean {
  for (const [i, certificate] of chain.entries()) {
    const below = chain[i - 1];
    if (below && !(certificate.ca && isSignedBy(below, certificate))) return false;
    const isProven = anchors.some(
      (anchor) =>
        anchor.fingerprint256 === certificate.fingerprint256 || isSignedBy(certificate, anchor),
    );
    if (isProven) return true;
  }
  return false;
}

/** The certificate and the certificates above it that its peer sent along. */
function sentWith(certificate: X509Certificate): X509Certificate[] {
  const chain = [certificate];
  for (let next = certificate.issuerCertificate; next && chain.length < 8;) {
    if (next.fingerprint256 === chain[chain.length - 1]?.fingerprint256) break;
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

function readRequest(der: Buffer): ReturnType<typeof readCsr> {
  try {
    return readCsr(der);
  } catch (error) {
    if (error instanceof CsrError) throw new Refusal('bad-request', error.message);
    throw error;
  }
}

const bundleOf = (issuing: Issuing): string =>
  issuing.anchors.map((anchor) => anchor.fingerprint256).join();
