/** Trust anchor and issuer in a folder: created, rotated with an overlapping bundle, watched. */
import type { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { type Clock, realClock, type Timer } from '../../base/clock.js';
import { messageOf, UserError } from '../../base/errors.js';
import { readInput } from '../../base/input.js';
import { writeFileWhole } from '../../base/write-file.js';
import { denialsFile, readDenials } from './denials.js';
import { generateWorkloadKey, type WorkloadKey } from './csr.js';
import {
  isSignedBy,
  type Issuing,
  type IssuerStore,
  keySigner,
  localIssuing,
  readCertificates,
  readSigner,
} from './issuing.js';
import { createCertificate, notAfterMs, publicKeyDerOf } from './x509.js';

/** The place of each file; by default all in one folder. The anchor's key only signs issuers: keep it elsewhere. */
export interface PkiFiles {
  /** The bundle: all trusted anchors, PEM. */
  trustAnchorsFile: string;
  trustAnchorKeyFile: string;
  /** The issuer's certificate, then intermediates up to the anchor, PEM. */
  certificateFile: string;
  keyFile: string;
}

export function pkiFiles(folder: string): PkiFiles {
  return {
    trustAnchorsFile: join(folder, 'trust-anchor.crt'),
    trustAnchorKeyFile: join(folder, 'trust-anchor.key'),
    certificateFile: join(folder, 'issuer.crt'),
    keyFile: join(folder, 'issuer.key'),
  };
}

export interface PkiOptions {
  trustDomain: string;
  /** Milliseconds; the defaults are ten years and one year. */
  anchorLifetimeMs?: number;
  issuerLifetimeMs?: number;
  clock?: Clock;
}

const yearMs = 365 * 86_400_000;
/** Certificates begin a little early, for clocks that run behind. */
const headStartMs = 60_000;

/** Creates a missing anchor or issuer; existing files are kept. Resolves to whether anything was created. */
export async function ensurePki(folder: string, options: PkiOptions): Promise<boolean> {
  const files = pkiFiles(folder);
  if (existsSync(files.certificateFile) && existsSync(files.trustAnchorsFile)) return false;
  makeFolder(folder, 0o700);
  if (!existsSync(files.trustAnchorsFile)) await addTrustAnchor(folder, options);
  await rotateIssuer(folder, options);
  return true;
}

/**
 * Creates a new anchor and puts it first in the bundle beside the existing anchors, which stay trusted: the first
 * step of a rotation. The new key replaces the old one, so later issuers are signed by the new anchor.
 */
export async function addTrustAnchor(
  folder: string,
  options: PkiOptions,
): Promise<X509Certificate> {
  const files = pkiFiles(folder);
  const nowMs = (options.clock ?? realClock).nowMs();
  const key = generateWorkloadKey();
  const day = new Date(nowMs).toISOString().slice(0, 19);
  const anchor = await createCertificate(
    {
      publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: `root.${options.trustDomain} ${day}`.slice(0, 64),
      notBeforeMs: nowMs - headStartMs,
      notAfterMs: nowMs + (options.anchorLifetimeMs ?? 10 * yearMs),
      ca: { pathLength: 1 },
    },
    keySigner(key.privateKey, key.publicKey),
  );
  const before = existsSync(files.trustAnchorsFile)
    ? readFileSync(files.trustAnchorsFile, 'utf8').trimEnd()
    : '';
  writeKey(files.trustAnchorKeyFile, key);
  writeFileWhole(
    files.trustAnchorsFile,
    `${anchor.toString().trimEnd()}\n${before}`.trimEnd() + '\n',
  );
  return anchor;
}

/**
 * Creates a new issuer signed by the newest anchor. Running controllers load it, and proxies renew, without a
 * restart.
 */
export async function rotateIssuer(folder: string, options: PkiOptions): Promise<X509Certificate> {
  const files = pkiFiles(folder);
  if (!existsSync(files.trustAnchorKeyFile)) {
    throw new UserError(`${files.trustAnchorKeyFile} is needed to sign an issuer, and is missing`);
  }
  const signer = readSigner(readInput(files.trustAnchorKeyFile), files.trustAnchorKeyFile);
  const publicKey = signer.publicKey.export({ type: 'spki', format: 'der' });
  const anchor = readAnchors(files).find((found) => publicKeyDerOf(found).equals(publicKey));
  if (!anchor) {
    throw new UserError(`no anchor in ${files.trustAnchorsFile} belongs to the anchor's key`);
  }
  const nowMs = (options.clock ?? realClock).nowMs();
  const key = generateWorkloadKey();
  const day = new Date(nowMs).toISOString().slice(0, 19);
  const issuer = await createCertificate(
    {
      publicKeyDer: key.publicKey.export({ type: 'spki', format: 'der' }),
      commonName: `issuer.${options.trustDomain} ${day}`.slice(0, 64),
      notBeforeMs: nowMs - headStartMs,
      notAfterMs: Math.min(nowMs + (options.issuerLifetimeMs ?? yearMs), notAfterMs(anchor)),
      ca: { pathLength: 0 },
      issuer: anchor,
    },
    signer,
  );
  // The key is written first: a reader between the two writes finds a mismatch, keeps the old pair, and reads again.
  writeKey(files.keyFile, key);
  writeFileWhole(files.certificateFile, issuer.toString());
  return issuer;
}

/**
 * The last step of a rotation: of this trust domain's anchors only the one above the current issuer stays; anchors of
 * other trust domains stay too. Returns the dropped anchors.
 */
export function dropOldAnchors(folder: string): X509Certificate[] {
  const files = pkiFiles(folder);
  const chain = readCertificates(
    readFileSync(files.certificateFile, 'utf8'),
    files.certificateFile,
  );
  const top = chain[chain.length - 1] as X509Certificate;
  const anchors = readAnchors(files);
  const kept = keptAnchors(anchors, top);
  writeFileWhole(files.trustAnchorsFile, kept.map((anchor) => anchor.toString()).join(''));
  return anchors.filter((anchor) => !kept.includes(anchor));
}

/** The trust domain in an anchor's name, such as `root.retail.local 2026-01-01...`. */
const anchorDomain = (anchor: X509Certificate): string | undefined =>
  /^CN=root\.(\S+)/m.exec(anchor.subject)?.[1];

/** The anchors that stay after a rotation; `top` is the last certificate of the issuer's chain. */
export function keptAnchors(
  anchors: readonly X509Certificate[],
  top: X509Certificate,
): X509Certificate[] {
  const above = anchors.filter((anchor) => isSignedBy(top, anchor));
  const [first] = above;
  if (!first) throw new UserError('no anchor in the bundle signed the present issuer');
  const own = anchorDomain(first);
  // A partner's anchor is recognised by its name; an anchor without such a name that is not above the issuer is old.
  const isPartner = (anchor: X509Certificate): boolean => {
    const domain = anchorDomain(anchor);
    return own !== undefined && domain !== undefined && domain !== own;
  };
  return anchors.filter((anchor) => above.includes(anchor) || isPartner(anchor));
}

export function readAnchors(files: Pick<PkiFiles, 'trustAnchorsFile'>): X509Certificate[] {
  return readCertificates(readInput(files.trustAnchorsFile), files.trustAnchorsFile);
}

/** The issuer in the files. Throws a UserError when it cannot be used. */
export function readIssuer(files: Omit<PkiFiles, 'trustAnchorKeyFile'>, nowMs: number): Issuing {
  const mode = existsSync(files.keyFile) ? statSync(files.keyFile).mode & 0o077 : 0;
  if (mode !== 0) {
    throw new UserError({
      message: `${files.keyFile} can be read by others`,
      expected: `mode 0600 (chmod 600 ${files.keyFile})`,
    });
  }
  return localIssuing({
    anchors: readAnchors(files),
    chain: readCertificates(readInput(files.certificateFile), files.certificateFile),
    signer: readSigner(readInput(files.keyFile), files.keyFile),
    nowMs,
  });
}

/**
 * Polls the files every `pollMs`, which detects renames over a file, symbolic links (Kubernetes volumes) and NFS
 * changes.
 */
export class FileIssuerStore implements IssuerStore {
  readonly kind = 'files';
  readonly #files: Omit<PkiFiles, 'trustAnchorKeyFile'>;
  readonly #clock: Clock;
  readonly #pollMs: number;
  #timer: Timer | undefined;
  #seen = '';

  constructor(
    files: Omit<PkiFiles, 'trustAnchorKeyFile'>,
    options: { clock?: Clock; pollMs?: number } = {},
  ) {
    this.#files = files;
    this.#clock = options.clock ?? realClock;
    this.#pollMs = options.pollMs ?? 500;
  }

  start(
    onChange: (issuing: Issuing) => void,
    onProblem: (message: string) => void,
  ): Promise<Issuing> {
    this.#seen = this.#read();
    const issuing = this.#issuing();
    this.#timer = this.#clock.every(this.#pollMs, () => {
      const now = this.#read();
      if (now === this.#seen) return;
      this.#seen = now;
      try {
        onChange(this.#issuing());
      } catch (error) {
        onProblem(messageOf(error));
      }
    });
    return Promise.resolve(issuing);
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  #issuing(): Issuing {
    const denied = readDenials(this.#denialsFile);
    return { ...readIssuer(this.#files, this.#clock.nowMs()), denied };
  }

  get #denialsFile(): string {
    return join(dirname(this.#files.certificateFile), denialsFile);
  }

  #read(): string {
    const { trustAnchorsFile, certificateFile, keyFile } = this.#files;
    return [trustAnchorsFile, certificateFile, keyFile, this.#denialsFile]
      .map((file) => {
        try {
          return readFileSync(file, 'utf8');
        } catch {
          return '';
        }
      })
      .join('\n');
  }
}

function writeKey(file: string, key: WorkloadKey): void {
  writeFileWhole(file, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}
