/** Values of YAML as Go's decoder takes them: null is a field that is not there, or an empty text. */
import * as z from 'zod';

/** A field that may be absent or null. */
export const orNone = <T extends z.ZodType>(schema: T) =>
  schema.nullish().transform((value) => value ?? undefined);

/** A text that may be null, and is empty then. */
export const text = z
  .string()
  .nullable()
  .transform((value) => value ?? '');

/** Labels or annotations. */
export const texts = z.record(z.string(), text);

/** A number of any base, cut off to a whole one (`0x1F`, `1_000`, `1.5`); NaN if the text is none. */
export function wholeOf(text: string): number {
  const [, sign, digits = ''] = /^([-+]?)([\d.].*)$/.exec(text) ?? [];
  const plain = digits.replaceAll(/(?<=\d)_(?=\d)/g, '').replace(/^0(?=[0-7]+$)/, '0o');
  return digits === '' ? Number.NaN : Math.trunc(Number(sign === '-' ? -Number(plain) : plain));
}
