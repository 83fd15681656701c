/** The events of certificates, for postmortems: JSON lines on disk, the latest in memory. */
import { appendFileSync } from 'node:fs';
import { type Clock, realClock } from '../../base/clock.js';

export type CertificateEventKind =
  | 'issued'
  | 'renewed'
  | 'refused'
  | 'issuer-loaded'
  | 'issuer-rotated'
  | 'bundle-changed'
  | 'issuer-problem'
  | 'issuer-expiring';

export interface CertificateEvent {
  /** RFC 3339. */
  time: string;
  event: CertificateEventKind;
  identity?: string;
  serial?: string;
  notAfter?: string;
  /** Fingerprint of the issuer's certificate, hex SHA-256. */
  issuer?: string;
  reason?: string;
  message?: string;
  /** The proof of identity: join-token, kubernetes, certificate. */
  proof?: string;
  anchors?: string[];
}

const keptEvents = 1000;

export class CertificateEvents {
  readonly #file: string | undefined;
  readonly #clock: Clock;
  readonly #recent: CertificateEvent[] = [];
  /** Lines that could not be written. */
  lost = 0;

  constructor(file?: string, clock: Clock = realClock) {
    this.#file = file;
    this.#clock = clock;
  }

  get recent(): readonly CertificateEvent[] {
    return this.#recent;
  }

  record(event: Omit<CertificateEvent, 'time'>): void {
    const line = { time: new Date(this.#clock.nowMs()).toISOString(), ...event };
    this.#recent.push(line);
    if (this.#recent.length > keptEvents) this.#recent.shift();
    if (!this.#file) return;
    try {
      // Written synchronously: a postmortem's data must not be lost in a buffer when the process is killed.
      appendFileSync(this.#file, `${JSON.stringify(line)}\n`, { mode: 0o640 });
    } catch {
      this.lost++;
    }
  }
}
