/**
 * Checks whether a stream of requests is in the one form that all servers read alike, as an intermediary must send it.
 */

const line = /^([!#$%&'*+\-.^_`|~0-9A-Z]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.1$/;
const field = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;

/** Returns the fault of the first faulty request; undefined if there is none. A truncated last request is no fault. */
export function faultIn(stream: string): string | undefined {
  let at = 0;
  while (at < stream.length) {
    const end = stream.indexOf('\r\n\r\n', at);
    if (end < 0) return undefined;
    const [first = '', ...fields] = stream.slice(at, end).split('\r\n');
    if (!line.test(first)) return `request line ${JSON.stringify(first)}`;
    const bad = fields.find((f) => !field.test(f));
    if (bad !== undefined) return `field ${JSON.stringify(bad)}`;
    const body = bodyAt(stream, end + 4, fields);
    if (typeof body === 'string') return body;
    if (body < 0) return undefined;
    at = body;
  }
  return undefined;
}

const valuesOf = (fields: readonly string[], name: string): string[] =>
  fields
    .filter((f) => f.slice(0, f.indexOf(':')).toLowerCase() === name)
    .map((f) => f.slice(f.indexOf(':') + 1).trim());

/** Returns the end of the body, or a number below 0 if the body is truncated. */
function bodyAt(stream: string, start: number, fields: readonly string[]): number | string {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (valuesOf(fields, 'host').length !== 1) return 'not one host';
  if (codings.length + lengths.length > 1)
    return `lengths ${[...codings, ...lengths].join(' and ')}`;
  if (codings.length === 1) {
    return codings[0]?.toLowerCase() === 'chunked'
      ? chunksAt(stream, start)
      : `coding ${codings[0]}`;
  }
  const [length = '0'] = lengths;
  if (!/^(0|[1-9]\d*)$/.test(length)) return `length ${length}`;
  const end = start + Number(length);
  return end > stream.length ? -1 : end;
}

function chunksAt(stream: string, start: number): number | string {
  for (let at = start; ;) {
    const end = stream.indexOf('\r\n', at);
    if (end < 0) return -1;
    const size = stream.slice(at, end);
    if (!/^[0-9a-fA-F]+$/.test(size)) return `chunk line ${JSON.stringify(size.slice(0, 60))}`;
    const bytes = parseInt(size, 16);
    if (bytes === 0) {
      const last = stream.indexOf('\r\n\r\n', end);
      return last < 0 ? -1 : last + 4;
    }
    at = end + 2 + bytes;
    if (at + 2 > stream.length) return -1;
    if (stream.slice(at, at + 2) !== '\r\n') return 'chunk end';
    at += 2;
  }
}
