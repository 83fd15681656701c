/** A request line's method and target (RFC 9112, section 3). */
import { isHost } from '../flow/authority.js';
import { type HeadError, headErrors } from './head-errors.js';

const authorityForm = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%]+):\d{1,5}$/;

export function targetError(method: string, text: string): HeadError | undefined {
  const first = text.charCodeAt(0);
  if (method === 'CONNECT') return authorityForm.test(text) ? undefined : headErrors.target;
  if (first === 47) return undefined;
  if (text === '*') return method === 'OPTIONS' ? undefined : headErrors.target;
  return absolute.test(text) ? undefined : headErrors.target;
}

/** `http://authority/path`: the form that clients send to a configured proxy. */
const absolute = /^https?:\/\/([^/?#@:][^/?#@]*)(?:$|[/?])/i;

/** Authority and path of a target in absolute form. */
export function splitAbsolute(
  method: string,
  text: string,
): { authority: string; path: string } | undefined {
  const match = absolute.exec(text);
  const authority = match?.[1];
  if (authority === undefined || !isHost(authority)) return undefined;
  const rest = text.slice(text.indexOf('://') + 3 + authority.length);
  // RFC 9112, 3.2.4: the server itself is asked for.
  if (rest === '' && method === 'OPTIONS') return { authority, path: '*' };
  return { authority, path: rest.startsWith('/') ? rest : `/${rest}` };
}

const commonMethods = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'];

/** Creates no string for common methods. */
export function methodOf(text: string, end: number): string {
  for (const method of commonMethods) {
    if (end === method.length && text.startsWith(method)) return method;
  }
  return text.slice(0, end);
}
