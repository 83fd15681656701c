/** Certificates that count for nothing before their time: one by its serial number, or all that an identity had. */
import { readFileSync } from 'node:fs';
import { UserError } from '../../base/errors.js';

export interface Denial {
  /** Hex, in capitals, as certificates are shown: this one certificate. */
  serial?: string;
  /** All certificates of this name that began up to `before`; it may join again, by its token. */
  identity?: string;
  /** Wall time, milliseconds. */
  before?: number;
  /** Wall time, milliseconds: later there is nothing left to deny, since certificates have run out. */
  until: number;
  reason?: string;
}

export interface Shown {
  serial: string;
  identity: string;
  notBeforeMs: number;
}

/** Beside issuer.crt, and the key of the Secret. */
export const denialsFile = 'denied.json';

/** More would be a flood of bundles to every proxy; rotate the trust anchor instead. */
export const maxDenials = 1000;

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

/** Those of a process' trust bundle: whoever finishes a handshake asks here. */
export const denialsInForce: { list: readonly Denial[] } = { list: [] };

const name = /^[a-z0-9.-]{1,253}$/;

/** Of `denied.json`. Throws a UserError that names the entry. */
export function parseDenials(text: string, where: string): Denial[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError({
      message: `${where}: not JSON`,
      expected: 'what firedrill identity deny writes',
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

/** Without those that have run out, and without another of the same; `more` comes last. */
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

/** As people paste it: `openssl x509 -serial` writes capitals, browsers colons. */
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
