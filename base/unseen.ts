/** Characters in untrusted text that are invisible, or that change the order in which others are shown. */

/** C0 without tab, line feed and carriage return, DEL, C1, and the marks of bidirectional text (UAX #9). */
const unseen =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export const hasUnseen = (text: string): boolean => text.search(unseen) >= 0;

/** Replaces each such character by a space. */
export const withoutUnseen = (text: string): string => text.replaceAll(unseen, ' ');

/** Indented JSON of `value` in which invisible characters are escaped, so that the file reads as it is. */
export const readableJson = (value: unknown): string =>
  `${JSON.stringify(value, undefined, 2).replaceAll(
    unseen,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )}\n`;
