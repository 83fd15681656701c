/**
 * The lifetime of workload certificates in each scenario: a lease at the controller sets it. If present certificates
 * live longer than the wanted lifetime, or connections may have been made with such, every workload begins anew once.
 */
import { type Clock, sleep } from '../../base/clock.js';
import type { Watch } from '../../alerts/watch/index.js';
import { askJson } from '../system/ask.js';
import type { System } from '../system/model.js';
import { leaseMs, renewMs } from '../runner/injection.js';

const settleLimitMs = 60_000;

export class CertificateLifetimes {
  readonly #system: System;
  readonly #clock: Clock;
  readonly #run: string;
  #wantedMs: number;
  #timer: { cancel(): void } | undefined;
  /** A connection lasts as long as the certificates of its handshake, which may have been renewed since. */
  #mayOutlive = false;

  constructor(parts: { system: System; clock: Clock; run: string; lifetimeMs: number }) {
    this.#system = parts.system;
    this.#clock = parts.clock;
    // This lease is not a fault of the run, so it is no residue while the run lasts.
    this.#run = `lifetime-of-${parts.run}`;
    this.#wantedMs = parts.lifetimeMs;
  }

  /** Applies to certificates issued from now on; does nothing without an issuer. */
  async want(lifetimeMs: number): Promise<void> {
    if (this.#system.controllerAdmin === undefined) return;
    this.#mayOutlive ||= lifetimeMs < this.#wantedMs;
    this.#wantedMs = lifetimeMs;
    this.#timer?.cancel();
    // The timer repeats a failed request; `settle` waits for the result.
    this.#timer = this.#clock.every(renewMs, () => void this.#put().catch(() => undefined));
    await this.#put().catch(() => undefined);
  }

  /** Resolves when every workload has a certificate of about that lifetime, after a minute at the latest. */
  async settle(watch: Watch, signal: AbortSignal, isOver = () => false): Promise<void> {
    if (this.#system.controllerAdmin === undefined) return;
    const end = this.#clock.nowMs() + settleLimitMs;
    let renewed = false;
    while (!signal.aborted && !isOver() && this.#clock.nowMs() < end) {
      const left = await lifesLeft(watch);
      const count = this.#system.description.workloads.filter((w) => w.identity).length;
      const seconds = this.#wantedMs / 1000;
      const isSettled =
        left.length >= count && left.every((s) => s > 0.2 * seconds && s <= 1.1 * seconds);
      if (isSettled && !this.#mayOutlive) return;
      if (!renewed && (this.#mayOutlive || left.some((s) => s > 1.1 * seconds))) {
        renewed = true;
        this.#mayOutlive = false;
        await this.#system.renewCertificates();
      }
      await sleep(200, signal);
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #put(): Promise<void> {
    await askJson(`${this.#system.controllerAdmin}/faults`, {
      method: 'POST',
      body: {
        id: this.#run,
        kind: 'identity-lifetime',
        lifetimeMs: Math.round(this.#wantedMs),
        ttlMs: leaseMs,
      },
    });
  }
}

async function lifesLeft(watch: Watch): Promise<number[]> {
  const query = 'identity_cert_expiration_timestamp_seconds - time()';
  return (await watch.query(query).catch(() => [])).map((s) => s.value);
}
