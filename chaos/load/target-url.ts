/** The address of a load as a user gives it: `--url`, or the profile's own. */
import { UserError } from '../../base/errors.js';

/** Throws a UserError on an address to which no request can be sent. */
export function targetUrl(text: string): URL {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UserError({ message: `bad --url '${text}'`, expected: 'http://host:port' });
  }
  const url = new URL(text);
  if (url.username === '' && url.password === '') return url;
  const expected = 'headers: { Authorization: ... } of a profile';
  throw new UserError({ message: 'bad --url: it holds a name or a password', expected });
}

/** The base of a profile's paths. Throws a UserError on a query, because the paths follow the base. */
export function baseOf({ origin, pathname, search }: URL): string {
  if (search === '') return `${origin}${pathname.replace(/\/+$/, '')}`;
  const expected = 'it at the paths of the profile';
  throw new UserError({ message: `bad --url: it has a query (${search})`, expected });
}
