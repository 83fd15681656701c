/**
 * Rotates a trust anchor while traffic runs: adds a new one, moves to it, drops the old one, and waits after each
 * step.
 */
import type { X509Certificate } from 'node:crypto';
import { realClock, sleep } from '../../base/clock.js';
import { exitCode, UserError } from '../../base/errors.js';
import { getJson } from '../controller/run-command.js';
import { addTrustAnchor, dropOldAnchors, rotateIssuer } from './pki-files.js';
import { sha256Hex } from './x509.js';

interface ProxyRow {
  workload: string;
  namespace: string;
  bundleCurrent: boolean;
  /** The issuer of its certificate; absent when the proxy's version does not report it. */
  issuer?: string;
}

interface EventRow {
  event: string;
  identity?: string;
  issuer?: string;
}

/** Writes each step to the place where anchor and issuer are kept. */
export interface AnchorKeeper {
  /** Adds a new anchor, trusted beside the old one. */
  add(): Promise<X509Certificate>;
  /** Creates an issuer under the new anchor. */
  move(): Promise<X509Certificate>;
  /** Drops all anchors but the one above the current issuer; resolves to the number dropped. */
  dropOld(): Promise<number>;
}

export const folderKeeper = (folder: string, trustDomain: string): AnchorKeeper => ({
  add: () => addTrustAnchor(folder, { trustDomain }),
  move: () => rotateIssuer(folder, { trustDomain }),
  dropOld: () => Promise.resolve(dropOldAnchors(folder).length),
});

/**
 * With `admins` all three steps, each after every proxy that was connected at the start has taken the step before;
 * without, only the first. A proxy that is away meanwhile (its container restarts) would be locked out by the last
 * step, so the roll-over waits until each workload has as many proxies as at the start.
 * Throws a UserError that names the late proxies; the steps done so far may stay, and the rotation may go on from
 * there.
 */
export async function rollAnchor(options: {
  keeper: AnchorKeeper;
  admins: readonly string[];
  timeoutMs: number;
  say(line: string): void;
}): Promise<void> {
  const { keeper, admins, say } = options;
  const before = await counted(admins);
  const anchor = await keeper.add();
  say(`1. new anchor ${sha256Hex(anchor.raw).slice(0, 16)} trusted beside the old`);
  if (admins.length === 0) return;
  const anchorHash = sha256Hex(anchor.raw);
  const there = { ...options, before };
  await until(there, 'trusts the new anchor', async (admin) =>
    (await anchorsAt(admin)).includes(anchorHash)
      ? late(await proxiesOf(admin), (p) => p.bundleCurrent)
      : ['the controller itself'],
  );
  const issuer = await keeper.move();
  const issuerHash = sha256Hex(issuer.raw);
  say(`2. new issuer ${issuerHash.slice(0, 16)} under it`);
  await until(there, 'has a certificate of the new issuer', async (admin) => {
    const state = (await getJson(admin, '/state')) as { issuer?: { hash: string } };
    if (state.issuer?.hash !== issuerHash) return ['the controller itself'];
    const renewed = await renewedIdentities(admins, issuerHash);
    const proxies = (await getJson(admin, '/proxies')) as (ProxyRow & { identity: string })[];
    // Replicas share an identity: the renewal of one says nothing about the others.
    return late(proxies, (p) =>
      p.issuer === undefined ? renewed.has(p.identity) : p.issuer === issuerHash,
    );
  });
  const overlapping = await anchorsAt(admins[0] as string);
  const dropped = await keeper.dropOld();
  say(`3. ${dropped} old anchor(s) dropped`);
  await until(options, 'trusts only the new anchor', async (admin) => {
    const left = await anchorsAt(admin);
    if (left.length > overlapping.length - dropped) return ['the controller itself'];
    return late(await proxiesOf(admin), (p) => p.bundleCurrent);
  });
}

/** The number of connected proxies by workload; one is connected to one of the controllers. */
async function counted(admins: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const admin of admins) {
    for (const { workload, namespace } of await proxiesOf(admin)) {
      const name = `${workload}.${namespace}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return counts;
}

async function away(
  admins: readonly string[],
  before: ReadonlyMap<string, number>,
): Promise<string[]> {
  const now = await counted(admins);
  return [...before]
    .filter(([name, count]) => (now.get(name) ?? 0) < count)
    .map(([name, count]) => `${name} (${now.get(name) ?? 0} of ${count} proxies are there)`);
}

async function anchorsAt(admin: string): Promise<string[]> {
  const state = (await getJson(admin, '/state')) as { anchors: { hash: string }[] };
  return state.anchors.map((a) => a.hash);
}

/** Replicas share the issuer, and a proxy renews with any of them. */
async function renewedIdentities(admins: readonly string[], issuer: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const admin of admins) {
    for (const e of (await getJson(admin, '/events')) as EventRow[]) {
      if ((e.event === 'renewed' || e.event === 'issued') && e.issuer === issuer && e.identity) {
        found.add(e.identity);
      }
    }
  }
  return found;
}

const proxiesOf = async (admin: string): Promise<ProxyRow[]> =>
  (await getJson(admin, '/proxies')) as ProxyRow[];

function late<P extends ProxyRow>(proxies: readonly P[], done: (p: P) => boolean): string[] {
  return proxies.filter((p) => !done(p)).map((p) => `${p.workload}.${p.namespace}`);
}

async function until(
  options: {
    admins: readonly string[];
    timeoutMs: number;
    before?: ReadonlyMap<string, number>;
  },
  what: string,
  lateOnes: (admin: string) => Promise<string[]>,
): Promise<void> {
  const deadlineMs = realClock.monotonicMs() + options.timeoutMs;
  for (;;) {
    const waiting: string[] = [];
    for (const admin of options.admins) waiting.push(...(await lateOnes(admin)));
    if (options.before) waiting.push(...(await away(options.admins, options.before)));
    if (waiting.length === 0) return;
    if (realClock.monotonicMs() > deadlineMs) {
      const names = waiting.slice(0, 10).join(', ');
      throw new UserError(`not everybody ${what}: ${names}`, exitCode.failed);
    }
    await sleep(250);
  }
}
