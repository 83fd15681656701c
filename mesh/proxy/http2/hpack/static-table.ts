/** The static table of RFC 7541, appendix A, as shared fields. Index 0 is unused. */
import { Field, indexing, roleOfName } from './field.js';

const entries = [
  ':authority',
  ':method GET',
  ':method POST',
  ':path /',
  ':path /index.html',
  ':scheme http',
  ':scheme https',
  ':status 200',
  ':status 204',
  ':status 206',
  ':status 304',
  ':status 400',
  ':status 404',
  ':status 500',
  'accept-charset',
  'accept-encoding gzip, deflate',
  ...'accept-language accept-ranges accept access-control-allow-origin age allow'.split(' '),
  ...'authorization cache-control content-disposition content-encoding'.split(' '),
  ...'content-language content-length content-location content-range content-type'.split(' '),
  ...'cookie date etag expect expires from host if-match if-modified-since'.split(' '),
  ...'if-none-match if-range if-unmodified-since last-modified link location'.split(' '),
  ...'max-forwards proxy-authenticate proxy-authorization range referer refresh'.split(' '),
  ...'retry-after server set-cookie strict-transport-security transfer-encoding'.split(' '),
  ...'user-agent vary via www-authenticate'.split(' '),
];

/** Entries of the static table; the first dynamic index is one more. */
export const staticCount = entries.length;

const firstOfName = new Map<string, number>();

export const staticTable: readonly Field[] = [
  new Field('', '', roleOfName('x'), indexing.incremental, 0, 0),
  ...entries.map((entry, i) => {
    const space = entry.indexOf(' ');
    const name = space < 0 ? entry : entry.slice(0, space);
    const value = space < 0 ? '' : entry.slice(space + 1);
    if (!firstOfName.has(name)) firstOfName.set(name, i + 1);
    const nameIndex = firstOfName.get(name) as number;
    return new Field(name, value, roleOfName(name), indexing.incremental, nameIndex, i + 1);
  }),
];

/** The lowest index with this name; 0: none. */
export const staticNameIndex = (name: string): number => firstOfName.get(name) ?? 0;

const exact = new Map<string, Map<string, Field>>();
for (const field of staticTable.slice(1)) {
  const values = exact.get(field.name) ?? new Map<string, Field>();
  exact.set(field.name, values.set(field.value, field));
}

export const staticField = (name: string, value: string): Field | undefined =>
  exact.get(name)?.get(value);
