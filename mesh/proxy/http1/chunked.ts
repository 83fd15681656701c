/**
 * Chunked bodies (RFC 9112, 7.1). Finds the end of a body while its bytes are passed on unchanged except for
 * extensions, or takes it apart for callers that want only the data. Trailers are held back, checked, and forbidden
 * ones removed.
 */
import { isForbiddenTrailer } from '../flow/reserved.js';
import { latin1 } from '../listen/latin1.js';
import { classes, cr, hexDigit, lf, space, tab, token, value } from './characters.js';

const enum At {
  Size,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  LastExtension,
  LastLf,
  TrailerStart,
  Trailer,
  TrailerLf,
  EndLf,
  Done,
}

/** Extensions and trailers of one body together: rarely used, and otherwise free memory for an attacker. */
const maxExtraBytes = 16 * 1024;
/** The limit for the extensions of one chunk. */
const maxExtensionBytes = 256;

/** The part of an extension (`;name=value;name="quoted"`) that has been read. */
const enum Ext {
  None,
  Semicolon,
  Name,
  Equals,
  Value,
  Quoted,
  Escaped,
  AfterQuote,
}

export class ChunkedReader {
  #state: At = At.Size;
  #size = 0;
  #digits = 0;
  #extraBytes = 0;
  #extension: Ext = Ext.None;
  #extensionBytes = 0;
  #trailerText = '';
  error = '';
  /**
   * After read(): the bytes to pass on. If extensions were cut out, these bytes begin later than the bytes that were
   * read.
   */
  verbatimStart = 0;
  verbatimEnd = 0;
  /** The place in this read where the current extension begins. */
  #extensionAt = 0;
  /** With `done`: name, value, name, value…, names as they came; undefined when there were none. */
  trailers: string[] | undefined;

  get done(): boolean {
    return this.#state === At.Done;
  }

  reset(): void {
    this.#state = At.Size;
    this.#size = 0;
    this.#digits = 0;
    this.#extraBytes = 0;
    this.#trailerText = '';
    this.error = '';
    this.trailers = undefined;
  }

  /**
   * Reads on and returns where it stopped: at `end`, behind the body's last byte, or -1 with the error set. `data` is
   * called for each stretch of content.
   */
  read(
    buffer: Uint8Array,
    start: number,
    end: number,
    data?: (from: number, to: number) => void,
  ): number {
    let i = start;
    this.verbatimStart = start;
    this.verbatimEnd = start;
    this.#extensionAt = start;
    while (i < end) {
      const byte = buffer[i] as number;
      switch (this.#state) {
        case At.Size:
          if (((classes[byte] as number) & hexDigit) !== 0) {
            // Thirteen digits are 2^52: sums of sizes stay exact.
            if (++this.#digits > 13) return this.#fail('chunk size too large');
            this.#size = this.#size * 16 + hexValue(byte);
          } else if (this.#digits === 0) {
            return this.#fail('chunk size');
          } else if (byte === cr) {
            this.#state = this.#size === 0 ? At.LastLf : At.SizeLf;
          } else if (byte === 59) {
            this.#state = this.#size === 0 ? At.LastExtension : At.Extension;
            this.#extension = Ext.Semicolon;
            this.#extensionAt = i;
            this.#extensionBytes = 0;
          } else {
            return this.#fail('chunk size');
          }
          i++;
          break;
        case At.Extension:
        case At.LastExtension:
          if (byte === cr && endsExtension(this.#extension)) {
            this.#state = this.#state === At.Extension ? At.SizeLf : At.LastLf;
            this.#cutExtension(buffer, i);
          } else {
            this.#extension = nextInExtension(this.#extension, byte);
            if (this.#extension === Ext.None) return this.#fail('chunk extension');
          }
          if (++this.#extraBytes > maxExtraBytes || ++this.#extensionBytes > maxExtensionBytes) {
            return this.#fail('chunk extensions too large');
          }
          i++;
          break;
        case At.SizeLf:
          if (byte !== lf) return this.#fail('chunk line end');
          this.#state = At.Data;
          i++;
          break;
        case At.Data: {
          const take = Math.min(this.#size, end - i);
          data?.(i, i + take);
          i += take;
          this.#size -= take;
          if (this.#size === 0) this.#state = At.DataCr;
          break;
        }
        case At.DataCr:
          if (byte !== cr) return this.#fail('chunk end');
          this.#state = At.DataLf;
          i++;
          break;
        case At.DataLf:
          if (byte !== lf) return this.#fail('chunk end');
          this.#state = At.Size;
          this.#digits = 0;
          i++;
          break;
        case At.LastLf:
          if (byte !== lf) return this.#fail('chunk line end');
          this.#state = At.TrailerStart;
          i++;
          break;
        case At.TrailerStart:
          if (byte === cr) {
            this.#state = At.EndLf;
            if (this.#trailerText === '') this.verbatimEnd = i + 1;
            i++;
            break;
          }
          if (byte === space || byte === tab) return this.#fail('folded trailer');
          if (this.#trailerText === '') this.verbatimEnd = i;
          this.#state = At.Trailer;
          break;
        case At.Trailer: {
          const from = i;
          while (i < end && ((classes[buffer[i] as number] as number) & value) !== 0) i++;
          this.#extraBytes += i - from;
          if (this.#extraBytes > maxExtraBytes) return this.#fail('trailers too large');
          this.#trailerText += latin1(buffer, from, i);
          if (i === end) break;
          if (buffer[i] !== cr) return this.#fail('trailer');
          this.#state = At.TrailerLf;
          i++;
          break;
        }
        case At.TrailerLf:
          if (byte !== lf) return this.#fail('trailer line end');
          this.#trailerText += '\n';
          this.#state = At.TrailerStart;
          i++;
          break;
        case At.EndLf: {
          if (byte !== lf) return this.#fail('line end');
          this.#state = At.Done;
          i++;
          if (this.#trailerText === '') this.verbatimEnd = i;
          else if (!this.#readTrailers()) return this.#fail('trailer');
          return i;
        }
        case At.Done:
          return i;
      }
      // Trailers are held back from their first byte on.
      const isExtension = this.#state === At.Extension || this.#state === At.LastExtension;
      if (this.#trailerText === '' && this.#state < At.Trailer && !isExtension) {
        this.verbatimEnd = i;
      }
    }
    return i;
  }

  /**
   * Cuts the extension up to its line's end at `to`: the bytes before it move up. Servers disagree about extensions.
   */
  #cutExtension(buffer: Uint8Array, to: number): void {
    const from = this.#extensionAt;
    const start = this.verbatimStart + to - from;
    buffer.copyWithin(start, this.verbatimStart, from);
    this.verbatimStart = start;
  }

  #fail(error: string): number {
    this.error = error;
    return -1;
  }

  #readTrailers(): boolean {
    const kept: string[] = [];
    for (const line of this.#trailerText.split('\n')) {
      if (line === '') continue;
      const at = line.indexOf(':');
      if (at <= 0) return false;
      const name = line.slice(0, at);
      for (let i = 0; i < at; i++) {
        if (((classes[name.charCodeAt(i)] as number) & token) === 0) return false;
      }
      if (isForbiddenTrailer(name.toLowerCase())) continue;
      kept.push(name, valueIn(line, at + 1));
    }
    this.trailers = kept;
    return true;
  }
}

/** Only space and tab surround a value: `trim` would also take a byte 0xA0, which ends some letters in UTF-8. */
function valueIn(line: string, from: number): string {
  const isBlank = (at: number): boolean => line[at] === ' ' || line[at] === '\t';
  let start = from;
  let end = line.length;
  while (start < end && isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return line.slice(start, end);
}

/** RFC 9112, 7.1.1, without the white space that it allows to bad senders only. `None`: not an extension. */
function nextInExtension(at: Ext, byte: number): Ext {
  const isToken = ((classes[byte] as number) & token) !== 0;
  switch (at) {
    case Ext.Semicolon:
      return isToken ? Ext.Name : Ext.None;
    case Ext.Name:
      if (isToken) return Ext.Name;
      if (byte === 61) return Ext.Equals;
      return byte === 59 ? Ext.Semicolon : Ext.None;
    case Ext.Equals:
      if (byte === 34) return Ext.Quoted;
      return isToken ? Ext.Value : Ext.None;
    case Ext.Value:
      if (isToken) return Ext.Value;
      return byte === 59 ? Ext.Semicolon : Ext.None;
    case Ext.Quoted:
      if (byte === 34) return Ext.AfterQuote;
      if (byte === 92) return Ext.Escaped;
      return byte >= 32 && byte < 127 ? Ext.Quoted : Ext.None;
    case Ext.Escaped:
      return byte >= 32 && byte < 127 ? Ext.Quoted : Ext.None;
    case Ext.AfterQuote:
      return byte === 59 ? Ext.Semicolon : Ext.None;
    default:
      return Ext.None;
  }
}

const endsExtension = (at: Ext): boolean =>
  at === Ext.Name || at === Ext.Value || at === Ext.AfterQuote;

/** The bytes after the last chunk's line: the trailers and the end. */
export function trailerText(trailers: readonly string[]): string {
  let text = '';
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

const hexValue = (byte: number): number => (byte <= 57 ? byte - 48 : (byte | 32) - 87);
