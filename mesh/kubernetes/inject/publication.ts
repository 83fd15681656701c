/** Serves the webhooks' certificate: renews it while the server runs, and writes its CA to both configurations. */
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import {
  type CertificateOptions,
  ensureServingCertificate,
  patchBundle,
  type ServingCertificate,
} from './certificate.js';

export interface PublicationOptions extends CertificateOptions {
  mutatingWebhook: string;
  validatingWebhook: string;
}

const checkEveryMs = 60_000;
const againMs = 1000;

export class Publication {
  /** Whether both configurations have received the CA. */
  published = false;
  readonly #api: KubeApi;
  readonly #options: PublicationOptions;
  readonly #log: (line: string) => void;
  #serving: ServingCertificate;
  #timers: Timer[] = [];
  #last = '';

  private constructor(
    api: KubeApi,
    options: PublicationOptions,
    serving: ServingCertificate,
    log: (line: string) => void,
  ) {
    this.#api = api;
    this.#options = options;
    this.#serving = serving;
    this.#log = log;
  }

  /** Finds or issues the certificate. Throws if its Secret does not exist. */
  static async open(
    api: KubeApi,
    options: PublicationOptions,
    log: (line: string) => void,
  ): Promise<Publication> {
    return new Publication(api, options, await ensureServingCertificate(api, options), log);
  }

  get serving(): ServingCertificate {
    return this.#serving;
  }

  /**
   * Writes the CA, and repeats until it succeeds: the configurations may be created after the pod, because an
   * installation may wait for the pod first. Then keeps both up to date, also after somebody else overwrites a
   * caBundle.
   */
  async start(clock: Clock, onRenewed: (serving: ServingCertificate) => void): Promise<void> {
    await this.#tried(() => this.#publish());
    this.#timers = [
      clock.every(againMs, () => {
        if (!this.published) void this.#tried(() => this.#publish());
      }),
      clock.every(checkEveryMs, () => void this.#tried(() => this.#renew(onRenewed))),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  async #renew(onRenewed: (serving: ServingCertificate) => void): Promise<void> {
    const next = await ensureServingCertificate(this.#api, this.#options);
    const renewed = next.certificate !== this.#serving.certificate;
    this.#serving = next;
    if (renewed) {
      onRenewed(next);
      this.#log('webhook certificate renewed');
    }
    await this.#publish();
  }

  async #publish(): Promise<void> {
    const { mutatingWebhook, validatingWebhook } = this.#options;
    const { ca } = this.#serving;
    await patchBundle(this.#api, 'MutatingWebhookConfiguration', mutatingWebhook, ca);
    await patchBundle(this.#api, 'ValidatingWebhookConfiguration', validatingWebhook, ca);
    this.published = true;
  }

  async #tried(step: () => Promise<void>): Promise<void> {
    try {
      await step();
      this.#last = '';
    } catch (error) {
      // Each reason is reported once, not once per second.
      const message = messageOf(error);
      if (message !== this.#last) this.#log(`webhook certificate: ${message}`);
      this.#last = message;
    }
  }
}
