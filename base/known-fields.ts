/** The fields that a schema knows, so that a misspelt one can be told with the nearest. */
import type * as z from 'zod';
import { suggest } from './suggest.js';

/** The parts of zod's definitions that lead from a schema to those within it. */
interface Definition {
  shape?: Record<string, Schema>;
  element?: Schema;
  valueType?: Schema;
  innerType?: Schema;
  getter?: () => Schema;
  options?: readonly Schema[];
  in?: Schema;
  out?: Schema;
  left?: Schema;
  right?: Schema;
}
interface Schema {
  _zod: { def: Definition };
}

/** The nearest field that exists at `path` and is not written there yet, in the whole `value`. */
export function nearestField(
  schema: z.ZodType,
  path: readonly PropertyKey[],
  word: string,
  value: unknown,
): string | undefined {
  let at: Schema[] = plain(schema as unknown as Schema);
  for (const key of path) {
    at = at.flatMap(({ _zod: { def } }) => {
      const within = def.shape?.[String(key)] ?? def.element ?? def.valueType;
      return within ? plain(within) : [];
    });
  }
  const known = new Set(at.flatMap(({ _zod: { def } }) => Object.keys(def.shape ?? {})));
  const written = path.reduce<unknown>((of, key) => Object(of)[key] as unknown, value);
  for (const field of Object.keys(Object(written))) known.delete(field);
  return suggest(word, known);
}

/** The schema without what wraps it: the choices of a union, both sides of a transformation. */
function plain(schema: Schema): Schema[] {
  const { innerType, getter, options, in: from, out, left, right } = schema._zod.def;
  const within = [innerType, getter?.(), ...(options ?? []), from, out, left, right].filter(
    (s) => s,
  );
  return within.length === 0 ? [schema] : (within as Schema[]).flatMap(plain);
}
