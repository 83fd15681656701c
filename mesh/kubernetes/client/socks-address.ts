/** Addresses as the SOCKS client writes and reads them, in place of a package of 33 kB (bundle.ts). */

/** An IPv4 address that `net.isIPv4` takes. */
export class Address4 {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Its four bytes. */
  toArray(): number[] {
    return this.#text.split('.').map(Number);
  }
}

/** An IPv6 address that `net.isIPv6` takes. */
export class Address6 {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  static fromByteArray(bytes: readonly number[]): Address6 {
    const hex = Buffer.from(bytes).toString('hex');
    return new Address6((hex.match(/.{4}/g) ?? []).join(':'));
  }

  /** Eight groups of four hexadecimal digits. */
  canonicalForm(): string {
    const plain = this.#text
      .replace(/%.*$/, '')
      .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: unknown[]) => {
        const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
        return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
      });
    const [head = '', tail] = plain.split('::');
    const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
    const [first, last] = [groups(head), groups(tail)];
    const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
    return [...first, ...zeros, ...last].map((group) => group.padStart(4, '0')).join(':');
  }
}
