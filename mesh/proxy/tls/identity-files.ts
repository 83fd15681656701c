/**
 * Certificate, key and anchors in files that are looked at every so often: renewals need no signal and no restart.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf, UserError } from '../../../base/errors.js';
import type { ProxyConfig } from '../../model.js';
import type { IdentityStore } from './identity-store.js';

const pollMs = 500;

type Files = { certificateFile: string; keyFile: string; trustAnchorsFile: string };

export class IdentityFiles {
  readonly #files: Files;
  readonly #store: IdentityStore;
  readonly #log: (line: string) => void;
  #timer: Timer | undefined;
  #seen = '';

  constructor(files: Files, store: IdentityStore, log: (line: string) => void) {
    this.#files = files;
    this.#store = store;
    this.#log = log;
  }

  /** Throws a UserError where there is nothing to begin with. */
  start(clock: Clock): void {
    try {
      this.#load(this.#read());
    } catch (error) {
      throw new UserError(`identity: ${messageOf(error)}`);
    }
    this.#timer = clock.every(pollMs, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    try {
      const parts = this.#read();
      // Files of one change are written one after the other: what does not fit yet is looked at again.
      if (parts.join('\n') !== this.#seen) this.#load(parts);
    } catch (error) {
      this.#log(`identity: ${messageOf(error)}; the one in use stays`);
    }
  }

  #read(): string[] {
    const { certificateFile, keyFile, trustAnchorsFile } = this.#files;
    return [certificateFile, keyFile, trustAnchorsFile].map((file) => readFileSync(file, 'utf8'));
  }

  #load(parts: string[]): void {
    const [certificateChainPem = '', keyPem = '', trustAnchorsPem = ''] = parts;
    this.#seen = parts.join('\n');
    this.#store.set({ certificateChainPem, keyPem, trustAnchorsPem });
  }
}

export function identityFiles(config: ProxyConfig): Files | undefined {
  const { identity } = config;
  if (!identity?.certificateFile || !identity.keyFile) return undefined;
  const { certificateFile, keyFile, trustAnchorsFile } = identity;
  return { certificateFile, keyFile, trustAnchorsFile };
}
