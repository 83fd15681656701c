/**
 * One-time tokens by which a workload outside Kubernetes joins: stored as hashes, used up atomically across replicas.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { type Clock, realClock } from '../../base/clock.js';
import { writeFileWhole } from '../../base/write-file.js';
import { type Attestation, type AttestationRequest, type Attestor, Refusal } from './attestor.js';

interface TokenRecord extends Attestation {
  notAfterMs: number;
  uses: number;
}

const prefix = 'fdj_';
/** Used and expired tokens are kept this long, so that a replay is reported as such. */
const keptMs = 86_400_000;

/** Makes a token and records its hash in `folder`. The token itself is only in the result. */
export function createJoinToken(
  folder: string,
  workload: Attestation,
  options: { ttlMs: number; uses?: number; clock?: Clock },
): string {
  const nowMs = (options.clock ?? realClock).nowMs();
  makeFolder(folder, 0o700);
  dropExpired(folder, nowMs);
  const token = prefix + randomBytes(24).toString('base64url');
  const record: TokenRecord = {
    serviceAccount: workload.serviceAccount,
    namespace: workload.namespace,
    notAfterMs: nowMs + options.ttlMs,
    uses: options.uses ?? 1,
  };
  writeFileWhole(join(folder, `${hashOf(token)}.json`), `${JSON.stringify(record)}\n`, 0o600);
  return token;
}

/** Tokens in a folder. A use is a file made with O_EXCL, so that only one of two replicas can take it. */
export class JoinTokens implements Attestor {
  readonly kind = 'join-token';
  readonly #folder: string;
  readonly #clock: Clock;
  /** By hash, the first use that may be free: a token for a thousand workloads is not searched from its beginning. */
  readonly #nextUse = new Map<string, number>();

  constructor(folder: string, clock: Clock = realClock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async attest(request: AttestationRequest): Promise<Attestation | undefined> {
    if (!request.token.startsWith(prefix)) return undefined;
    const hash = hashOf(request.token);
    const record = this.#read(hash);
    if (!record) throw new Refusal('bad-token', 'the join token is unknown');
    if (record.notAfterMs <= this.#clock.nowMs()) {
      throw new Refusal('expired-token', 'the join token has expired: make a new one');
    }
    // A mistyped name is refused without using up the token.
    request.admit?.(record);
    const { publicKeyHash } = request;
    // The same key asks again: its first answer was lost on the way.
    if (existsSync(join(this.#folder, `${hash}.key-${publicKeyHash}`))) return record;
    for (let use = this.#nextUse.get(hash) ?? 0; use < record.uses; use++) {
      this.#nextUse.set(hash, use + 1);
      if (!this.#take(`${hash}.use-${use}`)) continue;
      this.#take(`${hash}.key-${publicKeyHash}`);
      return record;
    }
    throw new Refusal('replayed-token', 'the join token was used before');
  }

  /** Whether this call made the file. */
  #take(name: string): boolean {
    try {
      writeFileSync(join(this.#folder, name), '', { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    }
  }

  #read(hash: string): TokenRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, `${hash}.json`), 'utf8')) as TokenRecord;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

function dropExpired(folder: string, nowMs: number): void {
  const names = readdirSync(folder);
  for (const name of names.filter((n) => n.endsWith('.json'))) {
    const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as TokenRecord;
    if (record.notAfterMs + keptMs > nowMs) continue;
    const hash = name.slice(0, -'.json'.length);
    for (const other of names.filter((n) => n.startsWith(hash))) rmSync(join(folder, other));
  }
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
