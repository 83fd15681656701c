/** The reasons why a head is invalid. */

/** The status that answers a bad request, and the reason. */
export interface HeadError {
  readonly status: 400 | 414 | 431 | 501 | 505;
  readonly reason: string;
}

const bad = (reason: string, status: HeadError['status'] = 400): HeadError => ({ status, reason });

export const headErrors = {
  method: bad('method'),
  target: bad('request target'),
  version: bad('version'),
  unsupportedVersion: bad('version not supported', 505),
  statusLine: bad('status line'),
  fieldName: bad('field name'),
  fieldValue: bad('field value'),
  folded: bad('folded field'),
  lineEnd: bad('line end'),
  length: bad('content-length'),
  twoLengths: bad('more than one content-length'),
  lengthAndCoding: bad('content-length and transfer-encoding'),
  coding: bad('transfer-encoding'),
  unknownCoding: bad('transfer coding not supported', 501),
  codingIn10: bad('transfer-encoding in HTTP/1.0'),
  host: bad('host'),
  noHost: bad('no host'),
  twoHosts: bad('more than one host'),
  longTarget: bad('request target too long', 414),
  large: bad('head too large', 431),
  many: bad('too many fields', 431),
} as const;

/** The reason why a transfer coding other than `chunked` alone is refused. */
export function codingError(value: string): HeadError {
  // `gzip, chunked` is well formed but not supported. If chunked is not last, the body has no end.
  const codings = value
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  const fine = codings.every((coding) => /^[a-z0-9!#$%&'*+.^_`|~-]+/.test(coding));
  const last = codings.indexOf('chunked') === codings.length - 1;
  return fine && last ? headErrors.unknownCoding : headErrors.coding;
}
