/**
 * Renders heads as they are sent on: hop-by-hop fields are dropped, changes are made, and runs of unchanged fields
 * are copied in one piece. If nothing changes, the text is sent on as it came.
 */
import type { HeaderEdits, HeaderList } from '../flow/contract.js';
import { addedBy, goneNames } from '../flow/edits.js';
import type { Head } from './head.js';
import { headerKind } from './header-kinds.js';

export interface RequestChanges {
  /** Undefined: as in the head. */
  target: string | undefined;
  authority: string | undefined;
  edits: HeaderEdits | undefined;
  more: HeaderList | undefined;
  /** The protocol that the client may change to; undefined: none. */
  upgrade: string | undefined;
  /** False for a client of HTTP/1.0, which would not understand trailers. */
  trailers: boolean;
}

const texts = new WeakMap<HeaderList, string>();

/** A route's additions recur: the text of each list is cached. */
function addedText(edits: HeaderEdits, more: HeaderList | undefined): string {
  const list = addedBy(edits, more);
  let text = texts.get(list);
  if (text === undefined) {
    text = linesOf(list);
    texts.set(list, text);
  }
  return text;
}

function linesOf(list: HeaderList): string {
  let text = '';
  for (let i = 0; i < list.length; i += 2) text += `${list[i]}: ${list[i + 1]}\r\n`;
  return text;
}

let lastList: HeaderList | undefined;
let lastListText = '';

/** The same list often comes several times in a row: the last one's text is cached. */
export function listText(list: HeaderList): string {
  if (list === lastList) return lastListText;
  lastList = list;
  lastListText = linesOf(list);
  return lastListText;
}

export function requestText(head: Head, changes: RequestChanges): string {
  const { target, authority, edits, more, upgrade } = changes;
  const { text } = head;
  const sameLine = target === undefined && head.minor === 1;
  if (sameLine && !head.hasHop && authority === undefined && !edits && !more) return text;
  const line = sameLine
    ? text.slice(0, head.fieldsStart)
    : `${head.method} ${target ?? head.target} HTTP/1.1\r\n`;
  let after = '';
  if (authority !== undefined) after += `host: ${authority}\r\n`;
  if (upgrade !== undefined) after += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
  else if (head.teAt >= 0 && changes.trailers && /\btrailers\b/i.test(head.value(head.teAt))) {
    after += 'connection: te\r\nte: trailers\r\n';
  }
  if (edits) after += addedText(edits, more);
  if (more) after += listText(more);
  let kept = '';
  let from = head.fieldsStart;
  const { count, kinds, places } = head;
  const mayReplace = head.named !== undefined || edits !== undefined || more !== undefined;
  for (let i = 0; i < count; i++) {
    switch (kinds[i]) {
      case headerKind.host:
        if (authority === undefined) continue;
        break;
      case headerKind.connection:
      case headerKind.hop:
      case headerKind.te:
      case headerKind.reserved:
        break;
      case headerKind.upgrade:
        break;
      case headerKind.contentLength:
      case headerKind.transferEncoding:
        continue;
      default:
        if (!mayReplace || !isReplaced(head, i, edits, more)) continue;
    }
    // Neighbouring fields that stay are copied together.
    const start = places[i * 4] as number;
    if (start > from) kept += text.slice(from, start);
    from = i + 1 < count ? (places[i * 4 + 4] as number) : text.length - 2;
  }
  if (from < text.length - 2) {
    // Nothing was dropped and nothing above changed: the text is one piece.
    if (from === head.fieldsStart && sameLine) return `${text.slice(0, -2)}${after}\r\n`;
    kept += text.slice(from, text.length - 2);
  }
  return `${line}${kept}${after}\r\n`;
}

export interface ResponseChanges {
  edits: HeaderEdits | undefined;
  /** Add `connection: close`. */
  close: boolean;
  /** Add `connection: keep-alive`, for a client of HTTP/1.0. */
  keepAlive: boolean;
  /** The body's chunks are taken apart: the transfer coding is left out. */
  dropCoding: boolean;
}

export function responseText(head: Head, changes: ResponseChanges): string {
  const { edits, close, keepAlive, dropCoding } = changes;
  const { text } = head;
  const isSame = head.minor === 1 && !head.hasHop;
  if (isSame && !edits && !close && !keepAlive && !dropCoding) return text;
  const upgrade = head.status === 101 || head.status === 426;
  // Some servers leave out the space before an empty reason; a sender may not.
  const line = `HTTP/1.1${text.slice(8, 12)} ${head.reason}\r\n`;
  let after = '';
  if (upgrade) after += close ? 'connection: upgrade, close\r\n' : 'connection: upgrade\r\n';
  else if (close) after += 'connection: close\r\n';
  else if (keepAlive) after += 'connection: keep-alive\r\n';
  if (edits) after += addedText(edits, undefined);
  const drops = (index: number): boolean => {
    switch (head.kinds[index]) {
      case headerKind.connection:
      case headerKind.hop:
        return true;
      case headerKind.upgrade:
        return !upgrade;
      case headerKind.transferEncoding:
        return dropCoding;
      case headerKind.contentLength:
        return false;
      default:
        return isReplaced(head, index, edits, undefined);
    }
  };
  return `${line}${keptFields(head, drops)}${after}\r\n`;
}

/** Whether a field is named by Connection, removed or set anew. */
function isReplaced(
  head: Head,
  index: number,
  edits: HeaderEdits | undefined,
  more: HeaderList | undefined,
): boolean {
  const { named } = head;
  if (named) {
    for (const name of named) if (head.isNamed(index, name)) return true;
  }
  if (edits) {
    for (const name of goneNames(edits)) if (head.isNamed(index, name, true)) return true;
    for (const name of edits.alone ?? []) {
      if (head.isNamed(index, name, true) && !head.isNamed(index, name)) return true;
    }
  }
  if (more) {
    for (let i = 0; i < more.length; i += 2) {
      if (head.isNamed(index, more[i] as string, true)) return true;
    }
  }
  return false;
}

/** The fields that stay; neighbouring ones are copied together. */
function keptFields(head: Head, drops: (index: number) => boolean): string {
  const { text, places, count } = head;
  let kept = '';
  let from = head.fieldsStart;
  for (let i = 0; i < count; i++) {
    if (!drops(i)) continue;
    const start = places[i * 4] as number;
    if (start > from) kept += text.slice(from, start);
    from = i + 1 < count ? (places[i * 4 + 4] as number) : text.length - 2;
  }
  return from === head.fieldsStart && text.length - 2 === from
    ? kept
    : kept + text.slice(from, text.length - 2);
}
