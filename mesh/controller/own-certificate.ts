/** The controller's certificate, made by its own authority, renewed at two thirds of its life. */
import type { Clock, Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { CertificateAuthority } from '../identity/authority.js';
import { createCsr, generateWorkloadKey } from '../identity/csr.js';
import { identityName, parseIdentity, type WorkloadName } from '../identity/names.js';
import { notAfterMs, notBeforeMs } from '../identity/x509.js';
import type { ControllerConfig } from './config.js';
import type { ServerCredentials } from './server.js';

/** It lives at least this long: a drill with lifetimes of seconds concerns the workloads. */
const minLifetimeMs = 3_600_000;
/** An issuer that is away, such as a sealed Vault, is asked again after this. */
const retryMs = 30_000;

export class OwnCertificate {
  readonly #name: WorkloadName;
  readonly #lifetimeMs: number;
  readonly #authority: CertificateAuthority;
  readonly #clock: Clock;
  readonly #log: (line: string) => void;
  #timer: Timer | undefined;
  #isStopped = false;
  onRenewed: (credentials: ServerCredentials) => void = () => undefined;

  constructor(
    config: ControllerConfig,
    authority: CertificateAuthority,
    clock: Clock,
    log: (line: string) => void,
  ) {
    const name = config.identity.name ?? controllerIdentity(config.trustDomain);
    const parsed = parseIdentity(name);
    if (!parsed) throw new Error(`${name} is not an identity`);
    this.#name = parsed;
    this.#lifetimeMs = Math.max(config.identity.certificateLifetime, minLifetimeMs);
    this.#authority = authority;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rejects when the issuer refuses. */
  async make(): Promise<ServerCredentials> {
    const key = generateWorkloadKey();
    const csr = createCsr(key, identityName(this.#name));
    const { leaf, chain } = await this.#authority.certifyOwn(this.#name, csr, this.#lifetimeMs);
    const lifeMs = notAfterMs(leaf) - notBeforeMs(leaf);
    const dueMs = notBeforeMs(leaf) + (lifeMs * 2) / 3 - this.#clock.nowMs();
    // Timers of Node hold 24.8 days at most; an earlier check does no harm.
    this.#renewIn(Math.min(Math.max(dueMs, 1000), 86_400_000));
    return {
      key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      cert: [leaf, ...chain].map((c) => c.toString()).join(''),
      ca: this.#authority.issuing.anchors.map((anchor) => anchor.toString()),
    };
  }

  /** The certificate in use stays until there is a new one. */
  renew(): void {
    this.make().then(
      (credentials) => this.onRenewed(credentials),
      (error: unknown) => {
        this.#log(`the controller's own certificate: ${messageOf(error)}`);
        this.#renewIn(retryMs);
      },
    );
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#isStopped) this.#timer = this.#clock.after(delayMs, () => this.renew());
  }
}

export function controllerIdentity(trustDomain: string): string {
  return identityName({ serviceAccount: 'controller', namespace: 'firedrill', trustDomain });
}
