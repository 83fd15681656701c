/** Makes the mesh's authority short-lived for a drill and restores it afterwards: its files are kept meanwhile. */
import { existsSync, readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.js';
import { writeFileWhole } from '../../base/write-file.js';
import {
  addTrustAnchor,
  dropOldAnchors,
  pkiFiles,
  rotateIssuer,
} from '../../mesh/identity/pki-files.js';
import { trustDomain } from './topology.js';

/**
 * `issuer`: a new one; `anchor`: one more, which nobody is signed by yet; `chain`: another anchor and the issuer below
 * it, the only ones once every workload has a certificate of them, so that nothing is trusted when they have run out.
 */
export const authorityParts = ['issuer', 'anchor', 'chain'] as const;
export type AuthorityPart = (typeof authorityParts)[number];

interface Wanted {
  part: AuthorityPart;
  lifetimeMs: number;
}

export class ShortLived {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #rolloverMs: number;
  #drop: Timer | undefined;
  /** The files as they were before the first lease, by path. */
  readonly #before = new Map<string, string>();
  /** In the order of their begin: a later issuer is signed by an earlier lease's anchor. */
  readonly #leases = new Map<string, Wanted & { sinceMs: number }>();

  /** `rolloverMs`: the time in which every workload gets a certificate of a new issuer. */
  constructor(folder: string, clock: Clock, rolloverMs: number) {
    this.#folder = folder;
    this.#clock = clock;
    this.#rolloverMs = rolloverMs;
  }

  async begin(id: string, { part, lifetimeMs }: Wanted): Promise<void> {
    if (this.#leases.size === 0) {
      for (const file of this.#filesOf('chain')) {
        if (existsSync(file)) this.#before.set(file, readFileSync(file, 'utf8'));
      }
    }
    this.#leases.set(id, { part, lifetimeMs, sinceMs: this.#clock.nowMs() });
    await this.#make({ part, lifetimeMs });
  }

  /**
   * The part's files return; if another lease's files depend on them, all return, and that lease's are made again.
   * Resolves to whether the only anchor had run out.
   */
  async end(id: string): Promise<boolean> {
    const ended = this.#leases.get(id);
    if (!ended) return false;
    if (ended.part === 'chain') this.#drop?.cancel();
    const ids = [...this.#leases.keys()];
    const depend = [...this.#leases].some(
      ([other, { part }]) =>
        other !== id &&
        (part === ended.part ||
          part === 'chain' ||
          ended.part === 'chain' ||
          (part === 'issuer' && ids.indexOf(other) > ids.indexOf(id))),
    );
    for (const file of this.#filesOf(depend ? 'chain' : ended.part)) {
      const text = this.#before.get(file);
      if (text !== undefined) writeFileWhole(file, text, 0o600);
    }
    this.#leases.delete(id);
    if (depend) for (const wanted of this.#leases.values()) await this.#make(wanted);
    const { part, sinceMs, lifetimeMs } = ended;
    return part === 'chain' && this.#clock.nowMs() >= sinceMs + lifetimeMs;
  }

  /** The key comes before its certificate, as in a rotation. */
  #filesOf(part: AuthorityPart): string[] {
    const files = pkiFiles(this.#folder);
    const anchor = [files.trustAnchorKeyFile, files.trustAnchorsFile];
    const issuer = [files.keyFile, files.certificateFile];
    return [...(part === 'issuer' ? [] : anchor), ...(part === 'anchor' ? [] : issuer)];
  }

  async #make({ part, lifetimeMs }: Wanted): Promise<void> {
    if (part !== 'issuer') {
      await addTrustAnchor(this.#folder, { trustDomain, anchorLifetimeMs: lifetimeMs });
    }
    if (part !== 'anchor') {
      await rotateIssuer(this.#folder, { trustDomain, issuerLifetimeMs: lifetimeMs });
    }
    if (part !== 'chain') return;
    this.#drop?.cancel();
    this.#drop = this.#clock.after(this.#rolloverMs, () => void dropOldAnchors(this.#folder));
  }
}
