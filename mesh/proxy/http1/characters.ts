/**
 * The bytes that are allowed in each part of a head (RFC 9110, 5.5 and 5.6.2; RFC 3986 for targets), as a table of
 * bits.
 */

/** A token: methods and field names. */
export const token = 1;
/** A field value: obs-text and white space included. */
export const value = 2;
/** A request target: visible ASCII. */
export const target = 4;
export const digit = 8;
export const hexDigit = 16;

export const classes = new Uint8Array(256);

for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte);
  let bits = 0;
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) bits |= token;
  if (byte === 9 || (byte >= 32 && byte !== 127)) bits |= value;
  if (byte > 32 && byte < 127) bits |= target;
  if (/[0-9]/.test(character)) bits |= digit;
  if (/[0-9a-fA-F]/.test(character)) bits |= hexDigit;
  classes[byte] = bits;
}

export const cr = 13;
export const lf = 10;
export const space = 32;
export const tab = 9;
export const colon = 58;
