/** The last known good state and certificate on disk, each written whole, readable by the owner only. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../base/make-folder.js';
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { readAnchors } from '../../identity/csr.js';
import { dnsNamesIn } from '../../identity/names.js';

export interface IdentityMaterial {
  /** PEM: the leaf, then intermediates. */
  chain: string;
  /** PEM. */
  key: string;
  /** PEM, one certificate each. */
  anchors: string[];
  notBeforeMs: number;
  notAfterMs: number;
  /** Hex SHA-256 of the issuer's certificate; empty when unknown. */
  issuer: string;
}

const stateFile = 'stream-state.json';
const identityFile = 'stream-identity.json';
/** The state is written at most this often: a busy mesh changes every few milliseconds. */
const writeIntervalMs = 1000;

export class DiskCache {
  readonly #folder: string | undefined;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #pending: (() => string) | undefined;
  #touchedMs = 0;
  readonly #log: (line: string) => void;
  #hasFailed = false;

  constructor(folder: string | undefined, clock: Clock, log: (line: string) => void) {
    this.#folder = folder;
    this.#clock = clock;
    this.#log = log;
    if (folder !== undefined) makeFolder(folder, 0o700);
  }

  readState(): string | undefined {
    return this.#read(stateFile);
  }

  /** The time of the last message from the controller, until which the cached state was right; undefined: no cache. */
  stateAtMs(): number | undefined {
    if (this.#folder === undefined) return undefined;
    try {
      return statSync(join(this.#folder, stateFile)).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** Marks the cached state as still right. */
  touch(nowMs: number): void {
    if (this.#folder === undefined || nowMs - this.#touchedMs < writeIntervalMs) return;
    this.#touchedMs = nowMs;
    try {
      utimesSync(join(this.#folder, stateFile), nowMs / 1000, nowMs / 1000);
    } catch {
      // The state has not been written yet.
    }
  }

  /** Only the identity of that name: the folder may be another workload's, or the file half a file. */
  readIdentity(name: string): IdentityMaterial | undefined {
    const text = this.#read(identityFile);
    if (text === undefined) return undefined;
    try {
      const material = JSON.parse(text) as IdentityMaterial;
      const leaf = new X509Certificate(material.chain);
      const names = dnsNamesIn(leaf.subjectAltName);
      if (!names.includes(name)) throw new Error(`it is of ${names.join(', ')}`);
      if (!leaf.checkPrivateKey(createPrivateKey(material.key))) throw new Error('a foreign key');
      readAnchors(material.anchors);
      return material;
    } catch (error) {
      this.#log(`the cached identity cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  }

  writeIdentity(material: IdentityMaterial): void {
    this.#write(identityFile, JSON.stringify(material));
  }

  /** Writes the state soon; `make` is called at that time. */
  writeState(make: () => string): void {
    if (this.#folder === undefined) return;
    this.#pending = make;
    this.#timer ??= this.#clock.after(writeIntervalMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const make = this.#pending;
    this.#pending = undefined;
    if (make) this.#write(stateFile, make());
  }

  #read(name: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    try {
      return readFileSync(join(this.#folder, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  #write(name: string, text: string): void {
    if (this.#folder === undefined) return;
    try {
      writeFileWhole(join(this.#folder, name), text, 0o600);
      this.#hasFailed = false;
    } catch (error) {
      // A full disk must not stop the proxy, and is told once.
      if (!this.#hasFailed) this.#log(`the cache cannot be written: ${messageOf(error)}`);
      this.#hasFailed = true;
    }
  }
}
