/** The address of a load as a person gives it: `--url`, or the profile's own. */
import { UserError } from '../../base/errors.js';

/** Throws a UserError on what no request could be sent to as it stands. */
export function targetUrl(text: string): URL {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new UserError({ message: `bad --url '${text}'`, expected: 'http://host:port' });
  }
  const url = new URL(text);
  if (url.username === '' && url.password === '') return url;
  const expected = 'headers: { Authorization: ... } of a profile';
  throw new UserError({ message: 'bad --url: it holds a name or a password', expected });
}

/** Where the paths of a profile begin. Throws a UserError on a query: the paths come after it. */
export function baseOf({ origin, pathname, search }: URL): string {
  if (search === '') return `${origin}${pathname.replace(/\/+$/, '')}`;
  const expected = 'it at the paths of the profile';
  throw new UserError({ message: `bad --url: it has a query (${search})`, expected });
}
