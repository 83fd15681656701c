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
