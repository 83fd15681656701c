/** Certificates revoked before their expiry: one by its serial number, or all certificates of an identity. */
import { readFileSync } from 'node:fs';
import { UserError } from '../../base/errors.js';

export interface Denial {
  /** Hex, in capitals, as certificates are shown: this one certificate. */
  serial?: string;
  /** All certificates of this name that began up to `before`; the workload may join again, by its token. */
  identity?: string;
  /** Wall time, milliseconds. */
  before?: number;
  /** Wall time, milliseconds: the denial ends then, since the denied certificates have expired. */
  until: number;
  reason?: string;
}

export interface Shown {
  serial: string;
  identity: string;
  notBeforeMs: number;
}

/** Kept beside issuer.crt; also the key in the Secret. */
export const denialsFile = 'denied.json';

/** More denials would flood every proxy with bundles; rotate the trust anchor instead. */
const maxDenials = 1000;

export function isDenied(
  denials: readonly Denial[],
  { serial, identity, notBeforeMs }: Shown,
): boolean {
  return denials.some((d) =>
    d.serial !== undefined
      ? d.serial === serial
      : d.identity === identity && notBeforeMs <= (d.before ?? 0),
  );
}

/** The denials in the process's trust bundle, checked at the end of every handshake. */
export const denialsInForce: { list: readonly Denial[] } = { list: [] };

const name = /^[a-z0-9.-]{1,253}$/;

/** Parses `denied.json`. Throws a UserError that names the entry. */
export function parseDenials(text: string, where: string): Denial[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError({
      message: `${where}: not JSON`,
      expected: 'the file that firedrill identity deny writes',
    });
  }
  if (!Array.isArray(value) || value.length > maxDenials) {
    throw new UserError({ message: where, expected: `a list of at most ${maxDenials} denials` });
  }
  return value.map((entry: Partial<Denial>, i): Denial => {
    const { serial, identity, before, until } = entry;
    const bySerial = typeof serial === 'string' && /^[0-9A-F]{1,64}$/.test(serial);
    const byName = typeof identity === 'string' && name.test(identity) && Number.isFinite(before);
    if (bySerial === byName || !Number.isFinite(until)) {
      throw new UserError({
        message: `${where}: entry ${i + 1}`,
        expected: 'a serial in capital hex, or an identity with before; and until, in ms',
      });
    }
    return entry as Denial;
  });
}

/** An absent file denies nothing. */
export function readDenials(file: string): Denial[] {
  try {
    return parseDenials(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Drops expired denials and earlier ones of the same certificate; appends `more`. */
export function withDenial(list: readonly Denial[], more: Denial, nowMs: number): Denial[] {
  const kept = list.filter(
    (d) => d.until > nowMs && (d.serial !== more.serial || d.identity !== more.identity),
  );
  if (kept.length >= maxDenials) {
    throw new UserError({
      message: `${maxDenials} denials are in force`,
      expected: 'firedrill identity rotate anchor, after which no old certificate counts',
    });
  }
  return [...kept, more];
}

/** Accepts pasted forms: `openssl x509 -serial` writes capitals, browsers write colons. */
export function serialOf(text: string): string {
  const serial = text.replaceAll(':', '').replace(/^0x/i, '').toUpperCase();
  if (!/^[0-9A-F]{1,64}$/.test(serial)) {
    throw new UserError({
      message: `--serial ${text}`,
      expected: 'hex, as firedrill identity inspect shows it',
    });
  }
  return serial;
}
