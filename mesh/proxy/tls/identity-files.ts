/** Certificate, key and anchors in files that are checked at intervals: renewals need no signal and no restart. */
import { readFileSync, statSync } from 'node:fs';
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf, UserError } from '../../../base/errors.js';
import type { ProxyConfig } from '../../model.js';
import type { IdentityStore } from './identity-store.js';

const pollMs = 1000;

type Files = { certificateFile: string; keyFile: string; trustAnchorsFile: string };

export class IdentityFiles {
  readonly #files: Files;
  readonly #store: IdentityStore;
  readonly #log: (line: string) => void;
  #timer: Timer | undefined;
  /** Size and times of the files in use. */
  #seen = '';

  constructor(files: Files, store: IdentityStore, log: (line: string) => void) {
    this.#files = files;
    this.#store = store;
    this.#log = log;
  }

  /** Throws a UserError when the first load fails. */
  start(clock: Clock): void {
    try {
      this.#load();
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
      // The files of one change are written one after the other: if they do not match yet, they are read again later.
      if (this.#stamp() !== this.#seen) this.#load();
    } catch (error) {
      this.#log(`identity: ${messageOf(error)}; the certificate in use stays`);
    }
  }

  #stamp(): string {
    const { certificateFile, keyFile, trustAnchorsFile } = this.#files;
    return [certificateFile, keyFile, trustAnchorsFile]
      .map((file) => {
        const { ino, size, mtimeMs, ctimeMs } = statSync(file);
        return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
      })
      .join('\n');
  }

  #load(): void {
    const { certificateFile, keyFile, trustAnchorsFile } = this.#files;
    // Taken before the files are read: a change in between is seen the next time.
    this.#seen = this.#stamp();
    const [certificateChainPem = '', keyPem = '', trustAnchorsPem = ''] = [
      certificateFile,
      keyFile,
      trustAnchorsFile,
    ].map((file) => readFileSync(file, 'utf8'));
    this.#store.set({ certificateChainPem, keyPem, trustAnchorsPem });
  }
}

export function identityFiles(config: ProxyConfig): Files | undefined {
  const { identity } = config;
  if (!identity?.certificateFile || !identity.keyFile) return undefined;
  const { certificateFile, keyFile, trustAnchorsFile } = identity;
  return { certificateFile, keyFile, trustAnchorsFile };
}
