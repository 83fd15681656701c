/**
 * Heads of HTTP/1.1 messages, read strictly (RFC 9112) and incrementally: the same bytes give the same result however
 * they are split. Errors that a lenient reader would repair (bare LF, folded lines, space before a colon, two
 * lengths) are refused: the next server might repair them differently, and that is how requests are smuggled.
 */
import { isHost } from '../flow/authority.js';
import { isMethod } from '../flow/method.js';
import { isMark, mirrorHeader } from '../flow/reserved.js';
import { latin1 } from '../listen/latin1.js';
import { classes, colon, cr, digit, lf, space, tab, target, token, value } from './characters.js';
import { codingError, type HeadError, headErrors } from './head-errors.js';
import {
  equals,
  headerKind,
  kindInAnswer,
  kindOf,
  readLength,
  reservedIn,
} from './header-kinds.js';
import { methodOf, targetError } from './target.js';

const enum At {
  Start,
  StartLf,
  Method,
  Target,
  Version,
  StatusVersion,
  Status,
  Reason,
  LineLf,
  FieldStart,
  Name,
  BeforeValue,
  Value,
  ValueLf,
  EndLf,
}

const maxFields = 256;
export const needMore = -1;
export const broken = -2;

/** One head: parsed in place, then queried. Reused for the next head after reset(). */
export class Head {
  readonly isRequest: boolean;
  readonly #maxBytes: number;
  #state: At = At.Start;
  /** Relative to the head's first byte. */
  #at = 0;
  #mark = 0;
  #lineStart = 0;
  /** For each field: name's start and end, value's start and end. */
  places = new Int32Array(4 * 16);
  kinds = new Uint8Array(16);
  count = 0;
  error: HeadError | undefined;
  #text = '';
  /** For a response, until its text is read: the buffer that holds it. */
  #source: Uint8Array | undefined;
  /** The head's place in the buffer that it was parsed from. */
  from = 0;
  to = 0;
  method = '';
  #methodEnd = 0;
  #targetEnd = 0;
  target = '';
  /** Where the first field begins. */
  fieldsStart = 0;
  minor = 1;
  status = 0;
  /** -1: absent. */
  contentLength = -1;
  chunked = false;
  /** The options of Connection; `named` lists other field names to drop. */
  close = false;
  keepAlive = false;
  upgrades = false;
  named: string[] | undefined;
  /** Index of fields; -1: absent. */
  hostAt = -1;
  upgradeAt = -1;
  expectAt = -1;
  teAt = -1;
  /** Some field is for this hop only. */
  hasHop = false;
  /** The message says that it is a copy of a request. */
  isMirror = false;

  constructor(kind: 'request' | 'response', maxBytes: number) {
    this.isRequest = kind === 'request';
    this.#maxBytes = maxBytes;
    this.reset();
  }

  reset(): void {
    this.#state = this.isRequest ? At.Start : At.StatusVersion;
    this.#at = 0;
    this.#mark = 0;
    this.count = 0;
    this.error = undefined;
    this.#text = '';
    this.#source = undefined;
    this.target = '';
    this.contentLength = -1;
    this.chunked = false;
    this.close = false;
    this.keepAlive = false;
    this.upgrades = false;
    this.named = undefined;
    this.hostAt = -1;
    this.upgradeAt = -1;
    this.expectAt = -1;
    this.teAt = -1;
    this.hasHop = false;
    this.isMirror = false;
  }

  /** Whether any byte of the head has been seen (empty lines before a request do not count). */
  get begun(): boolean {
    return this.isRequest ? this.#state > At.StartLf : this.#at > 0;
  }

  /**
   * Reads on. `start` is always the head's first byte, also when called again with more of it; `end` is the end of
   * the bytes that have arrived. Returns where the head ends, or `needMore`, or `broken` with the error set.
   */
  parse(buffer: Uint8Array, start: number, end: number): number {
    let i = start + this.#at;
    let state = this.#state;
    const limit = start + this.#maxBytes;
    while (i < end) {
      if (i >= limit) return this.#tooLarge(state);
      const byte = buffer[i] as number;
      switch (state) {
        case At.Start:
          // Empty lines before a request line are skipped (RFC 9112, 2.2).
          if (byte === cr) {
            state = At.StartLf;
            i++;
            break;
          }
          if (((classes[byte] as number) & token) === 0) return this.#fail(headErrors.method);
          this.#lineStart = i - start;
          state = At.Method;
          break;
        case At.StartLf:
          if (byte !== lf) return this.#fail(headErrors.lineEnd);
          state = At.Start;
          i++;
          break;
        case At.Method:
          while (i < end && ((classes[buffer[i] as number] as number) & token) !== 0) i++;
          if (i === end) break;
          if (buffer[i] !== space || i - start - this.#lineStart > 32) {
            return this.#fail(headErrors.method);
          }
          // Methods are in capitals (RFC 9110, 9.1): `get` is not a method, but some servers accept it as GET.
          for (let m = start + this.#lineStart; m < i; m++) {
            if ((buffer[m] as number) >= 97 && (buffer[m] as number) <= 122) {
              return this.#fail(headErrors.method);
            }
          }
          this.#methodEnd = i - start;
          i++;
          this.#mark = i - start;
          state = At.Target;
          break;
        case At.Target:
          while (i < end && ((classes[buffer[i] as number] as number) & target) !== 0) i++;
          if (i === end) break;
          if (buffer[i] !== space || i - start === this.#mark) {
            return this.#fail(headErrors.target);
          }
          if (i >= limit) return this.#tooLarge(state);
          this.#targetEnd = i - start;
          i++;
          this.#mark = i - start;
          state = At.Version;
          break;
        case At.Version:
        case At.StatusVersion: {
          const offset = i - start - this.#mark;
          if (offset < 7) {
            if (byte !== 'HTTP/1.'.charCodeAt(offset)) {
              if (offset === 5 && ((classes[byte] as number) & digit) !== 0) {
                return this.#fail(headErrors.unsupportedVersion);
              }
              return this.#fail(headErrors.version);
            }
            i++;
            break;
          }
          if (offset === 7) {
            if (((classes[byte] as number) & digit) === 0) return this.#fail(headErrors.version);
            // Half of all servers treat a later version as 1.1; the others refuse it.
            if (byte > 49) return this.#fail(headErrors.unsupportedVersion);
            this.minor = byte - 48;
            i++;
            break;
          }
          if (state === At.Version) {
            if (byte !== cr) return this.#fail(headErrors.version);
            state = At.LineLf;
            i++;
            break;
          }
          if (byte !== space) return this.#fail(headErrors.statusLine);
          i++;
          this.#mark = i - start;
          this.status = 0;
          state = At.Status;
          break;
        }
        case At.Status: {
          const offset = i - start - this.#mark;
          if (offset < 3) {
            if (((classes[byte] as number) & digit) === 0) return this.#fail(headErrors.statusLine);
            this.status = this.status * 10 + byte - 48;
            i++;
            break;
          }
          if (this.status < 100) return this.#fail(headErrors.statusLine);
          if (byte !== cr && byte !== space) return this.#fail(headErrors.statusLine);
          this.hasHop = byte === cr;
          state = byte === cr ? At.LineLf : At.Reason;
          i++;
          break;
        }
        case At.Reason:
          while (i < end && ((classes[buffer[i] as number] as number) & value) !== 0) i++;
          if (i === end) break;
          if (buffer[i] !== cr) return this.#fail(headErrors.statusLine);
          state = At.LineLf;
          i++;
          break;
        case At.LineLf:
          if (byte !== lf) return this.#fail(headErrors.lineEnd);
          i++;
          this.fieldsStart = i - start;
          state = At.FieldStart;
          break;
        case At.FieldStart:
          if (byte === cr) {
            state = At.EndLf;
            i++;
            break;
          }
          if (byte === space || byte === tab) return this.#fail(headErrors.folded);
          if (((classes[byte] as number) & token) === 0) return this.#fail(headErrors.fieldName);
          if (this.count === this.kinds.length && !this.#grow()) return this.#fail(headErrors.many);
          this.places[this.count * 4] = i - start;
          state = At.Name;
          i++;
          break;
        case At.Name:
          while (i < end && ((classes[buffer[i] as number] as number) & token) !== 0) i++;
          if (i === end) break;
          if (buffer[i] !== colon) return this.#fail(headErrors.fieldName);
          this.places[this.count * 4 + 1] = i - start;
          i++;
          state = At.BeforeValue;
          break;
        case At.BeforeValue:
          if (byte === space || byte === tab) {
            i++;
            break;
          }
          this.places[this.count * 4 + 2] = i - start;
          state = At.Value;
          break;
        case At.Value:
          while (i < end && ((classes[buffer[i] as number] as number) & value) !== 0) i++;
          if (i === end) break;
          if (buffer[i] !== cr) return this.#fail(headErrors.fieldValue);
          {
            let last = i - 1;
            const first = start + (this.places[this.count * 4 + 2] as number);
            while (last >= first && (buffer[last] === space || buffer[last] === tab)) last--;
            this.places[this.count * 4 + 3] = last + 1 - start;
          }
          i++;
          state = At.ValueLf;
          break;
        case At.ValueLf: {
          if (byte !== lf) return this.#fail(headErrors.lineEnd);
          i++;
          const error = this.#field(buffer, start);
          if (error) return this.#fail(error);
          state = At.FieldStart;
          break;
        }
        case At.EndLf: {
          if (byte !== lf) return this.#fail(headErrors.lineEnd);
          i++;
          if (i > limit) return this.#tooLarge(state);
          const error = this.#finish(buffer, start, i);
          return error ? this.#fail(error) : i;
        }
      }
    }
    if (i > limit) return this.#tooLarge(state);
    this.#at = i - start;
    this.#state = state;
    return needMore;
  }

  #fail(error: HeadError): number {
    this.error = error;
    return broken;
  }

  #tooLarge(state: At): number {
    return this.#fail(state === At.Target ? headErrors.longTarget : headErrors.large);
  }

  #grow(): boolean {
    if (this.kinds.length >= maxFields) return false;
    const places = new Int32Array(this.places.length * 2);
    const kinds = new Uint8Array(this.kinds.length * 2);
    places.set(this.places);
    kinds.set(this.kinds);
    this.places = places;
    this.kinds = kinds;
    return true;
  }

  #field(buffer: Uint8Array, start: number): HeadError | undefined {
    const index = this.count++;
    const nameStart = start + (this.places[index * 4] as number);
    const length = start + (this.places[index * 4 + 1] as number) - nameStart;
    const kind = this.#kindOf(buffer, nameStart, length);
    this.kinds[index] = kind;
    if (kind === headerKind.other) return undefined;
    const valueStart = start + (this.places[index * 4 + 2] as number);
    const valueEnd = start + (this.places[index * 4 + 3] as number);
    switch (kind) {
      case headerKind.host:
        if (this.hostAt >= 0) return headErrors.twoHosts;
        this.hostAt = index;
        return undefined;
      case headerKind.contentLength:
        if (this.contentLength >= 0) return headErrors.twoLengths;
        this.contentLength = readLength(buffer, valueStart, valueEnd);
        return this.contentLength < 0 ? headErrors.length : undefined;
      case headerKind.transferEncoding:
        if (this.chunked) return headErrors.coding;
        if (!equals(buffer, valueStart, valueEnd - valueStart, 'chunked')) {
          return codingError(latin1(buffer, valueStart, valueEnd));
        }
        this.chunked = true;
        return undefined;
      case headerKind.connection:
        this.hasHop = true;
        this.#connection(buffer, valueStart, valueEnd);
        return undefined;
      case headerKind.upgrade:
        this.hasHop = true;
        this.upgradeAt = index;
        return undefined;
      case headerKind.expect:
        this.expectAt = index;
        return undefined;
      case headerKind.te:
        this.hasHop = true;
        this.teAt = index;
        return undefined;
      case headerKind.hop:
      case headerKind.reserved:
        this.hasHop = true;
        return undefined;
      default:
        return undefined;
    }
  }

  #kindOf(buffer: Uint8Array, at: number, length: number): number {
    const reserved = this.isRequest ? reservedIn(buffer, at, length) : '';
    if (reserved === mirrorHeader) this.isMirror = true;
    if (reserved !== '') return headerKind.reserved;
    const kind = kindOf(buffer, at, length);
    return this.isRequest ? kind : kindInAnswer(kind, this.status);
  }

  #connection(buffer: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length === 10 && equals(buffer, start, 10, 'keep-alive')) {
      this.keepAlive = true;
      return;
    }
    if (length === 5 && equals(buffer, start, 5, 'close')) {
      this.close = true;
      return;
    }
    const text = latin1(buffer, start, end).toLowerCase();
    for (const part of text.split(',')) {
      const option = part.trim();
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') this.keepAlive = true;
      else if (option === 'upgrade') this.upgrades = true;
      else if (option !== '') (this.named ??= []).push(option);
    }
  }

  #finish(buffer: Uint8Array, start: number, end: number): HeadError | undefined {
    const first = start + (this.isRequest ? this.#lineStart : 0);
    if (this.contentLength >= 0 && this.chunked) return headErrors.lengthAndCoding;
    if (this.isRequest) {
      if (this.chunked && this.minor === 0) return headErrors.codingIn10;
      if (this.hostAt < 0 && this.minor !== 0) return headErrors.noHost;
    }
    this.from = first;
    this.to = end;
    // Most responses are passed on as bytes, so their text is made only when it is read.
    if (this.isRequest) this.#text = latin1(buffer, first, end);
    else this.#source = buffer;
    const shift = first - start;
    if (shift > 0) {
      // Empty lines came before: places count from the text's first character.
      for (let i = 0; i < this.count * 4; i++) this.places[i] = (this.places[i] as number) - shift;
      this.fieldsStart -= shift;
    }
    if (!this.isRequest) return undefined;
    this.method = methodOf(this.text, this.#methodEnd - shift);
    if (!isMethod(this.method)) return headErrors.method;
    this.target = this.text.slice(this.#methodEnd - shift + 1, this.#targetEnd - shift);
    if (this.hostAt >= 0 && !isHost(this.value(this.hostAt))) return headErrors.host;
    return targetError(this.method, this.target);
  }

  /**
   * The whole head up to and including the empty line; a request's text begins with the method. A response's text
   * must be read for the first time during the read that brought it.
   */
  get text(): string {
    const source = this.#source;
    if (source) {
      this.#text = latin1(source, this.from, this.to);
      this.#source = undefined;
    }
    return this.#text;
  }

  /** The reason phrase of a response. */
  get reason(): string {
    return this.text.slice(13, this.fieldsStart - 2);
  }

  value(index: number): string {
    return this.text.slice(this.places[index * 4 + 2], this.places[index * 4 + 3]);
  }

  name(index: number): string {
    return this.text.slice(this.places[index * 4], this.places[index * 4 + 1]).toLowerCase();
  }

  /** Whether the field has this name, given in lower case; `anyMark`: or has other marks in place of its dashes. */
  isNamed(index: number, lowerCase: string, anyMark = false): boolean {
    const from = this.places[index * 4] as number;
    if ((this.places[index * 4 + 1] as number) - from !== lowerCase.length) return false;
    for (let i = 0; i < lowerCase.length; i++) {
      const code = this.text.charCodeAt(from + i);
      const wanted = lowerCase.charCodeAt(i);
      if (code === wanted || (code >= 65 && code <= 90 && code + 32 === wanted)) continue;
      if (!anyMark || wanted !== 45 || !isMark(code)) return false;
    }
    return true;
  }

  /** The value, or values joined by commas; undefined when absent. */
  header(lowerCase: string): string | undefined {
    let found: string | undefined;
    for (let i = 0; i < this.count; i++) {
      if (!this.isNamed(i, lowerCase)) continue;
      const text = this.value(i);
      found = found === undefined ? text : `${found}, ${text}`;
    }
    return found;
  }
}
