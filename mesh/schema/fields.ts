/** Fields of the model as data: their types, readers and reference come from one description. */

/** The form of a value. In the registry, durations are texts such as 500ms, and some forms are shorter to write. */
export type Form =
  | { kind: 'name'; minLength?: number; maxLength?: number }
  | { kind: 'text'; pattern?: RegExp; expected?: string }
  | { kind: 'header' | 'flag' | 'statuses' | 'pairs' }
  | ({ kind: 'number' } & Range)
  | ({ kind: 'duration'; unit: 'Ms' | 'Seconds' } & Range)
  | { kind: 'choice'; choices: readonly (string | number)[] }
  | { kind: 'list'; item: Form; registryLeast: number }
  | { kind: 'group'; fields: Fields }
  | { kind: 'comparison'; kinds: readonly string[]; named?: 'header' | 'query' };

/** A header's name (RFC 9110, 5.6.2), and a value on one line: a line end in it would start another header. */
export const headerName = { pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, expected: 'a header name' };
export const headerValue = { pattern: /^[^\r\n\0]*$/, expected: 'one line' };

export interface Range {
  /** 0 when absent. */
  min?: number;
  max?: number;
  whole?: true;
  /** Other bounds for people; the proxy's file, which programs write, may go beyond. `above` is exclusive. */
  registry?: { above?: number; min?: number; max?: number };
}

export interface Field<T = unknown, Needed extends boolean = boolean> {
  form: Form;
  /** One or two sentences for the reference. */
  doc: string;
  /** The model always has it. */
  needed: Needed;
  /** The registry's default; a group's is made of its fields' defaults. */
  preset?: unknown;
  /** A proxy's file has the default too. */
  isFilled?: true;
  /** The registry's default, from the fields beside it. */
  presetFrom?: (beside: Record<string, unknown>) => unknown;
  /** The registry writes an absent value as `unlimited`. */
  mayBeUnlimited?: true;
  /** Only a controller or a proxy's file sets it. */
  isHidden?: true;
  /** Its name in the registry, unless that is the model's name without the unit. */
  registryName?: string;
  /** The annotation that sets it: a duration of a route by an HTTPRoute's, a backend's by a Service's. */
  annotation?: string;
  /** The property of a ServiceProfile's route that sets it. */
  profile?: string;
  /** For the compiler alone: the type of its values. */
  type?: T;
}

export type Fields = Readonly<Record<string, Field>>;

type Flat<T> = { [K in keyof T]: T[K] };
type NeededOf<F> = { [K in keyof F]: F[K] extends Field<unknown, true> ? K : never }[keyof F];
export type TypeOf<F> = F extends Field<infer T> ? T : never;

/** The type of a group with these fields. */
export type Of<F> = Flat<
  { [K in NeededOf<F>]: TypeOf<F[K]> } & {
    [K in Exclude<keyof F, NeededOf<F>>]?: TypeOf<F[K]>;
  }
>;

const field = <T>(doc: string, form: Form): Field<T, false> => ({ form, doc, needed: false });

export const name = (
  doc: string,
  length: { minLength?: number; maxLength?: number } = {},
): Field<string, false> => field(doc, { kind: 'name', ...length });
export const text = (
  doc: string,
  fits: { pattern?: RegExp; expected?: string } = {},
): Field<string, false> => field(doc, { kind: 'text', ...fits });
export const header = (doc: string): Field<string, false> => field(doc, { kind: 'header' });
export const flag = (doc: string): Field<boolean, false> => field(doc, { kind: 'flag' });
export const number = (doc: string, range: Range = {}): Field<number, false> =>
  field(doc, { kind: 'number', ...range });
export const count = (doc: string, range: Range = {}): Field<number, false> =>
  number(doc, { whole: true, ...range });
export const ratio = (doc: string): Field<number, false> => number(doc, { max: 1 });
export const milliseconds = (
  doc: string,
  named: { annotation?: string; profile?: string } = {},
): Field<number, false> => ({ ...field<number>(doc, { kind: 'duration', unit: 'Ms' }), ...named });
export const seconds = (doc: string, range: Range = {}): Field<number, false> =>
  field(doc, { kind: 'duration', unit: 'Seconds', ...range });
export const choice = <const C extends string | number>(
  doc: string,
  ...choices: readonly C[]
): Field<C, false> => field(doc, { kind: 'choice', choices });

/** Inclusive ranges; in the registry 503 or '500-599'. */
export const statuses = (doc: string): Field<[number, number][], false> =>
  field(doc, { kind: 'statuses' });
/** Names and values of headers; a map in the registry. */
export const pairs = (doc: string): Field<[string, string][], false> =>
  field(doc, { kind: 'pairs' });

export const list = <T>(doc: string, { form }: Field<T>, registryLeast = 0): Field<T[], false> =>
  field(doc, { kind: 'list', item: form, registryLeast });

export const group = <const F extends Fields>(doc: string, fields: F): Field<Of<F>, false> =>
  field(doc, { kind: 'group', fields });

type Compared<K extends string> = Flat<
  { kind: K } & ('present' extends K ? { value?: string } : { value: string })
>;
/** In the registry the kind is the key: `prefix: /cart`. */
export const comparison = <const K extends string>(
  doc: string,
  ...kinds: readonly K[]
): Field<Compared<K>, false> => field(doc, { kind: 'comparison', kinds });
export const namedComparison = <const K extends string>(
  doc: string,
  named: 'header' | 'query',
  ...kinds: readonly K[]
): Field<Flat<{ name: string } & Compared<K>>, false> =>
  field(doc, { kind: 'comparison', kinds, named });

export const needed = <T>(f: Field<T>): Field<T, true> => ({ ...f, needed: true });
export const preset = <T>(value: T | Record<string, never>, f: Field<T>): Field<T, true> => ({
  ...f,
  needed: true,
  preset: value,
});
export const filled = <T>(value: T | Record<string, never>, f: Field<T>): Field<T, true> => ({
  ...preset(value, f),
  isFilled: true,
});
export const hidden = <T, N extends boolean>(f: Field<T, N>): Field<T, N> => ({
  ...f,
  isHidden: true,
});

/** The fields that are no groups, with their places in the model. */
export function* leavesOf(
  fields: Fields,
  above: readonly string[] = [],
): Generator<{ path: readonly string[]; field: Field }> {
  for (const [key, one] of Object.entries(fields)) {
    const path = [...above, key];
    if (one.form.kind === 'group') yield* leavesOf(one.form.fields, path);
    else yield { path, field: one };
  }
}

/** The defaults of a group's fields, in the model's form. */
export function presetsOf<F extends Fields>(fields: F): Partial<Of<F>> {
  const made: Record<string, unknown> = {};
  for (const [key, { form, preset: value }] of Object.entries(fields)) {
    if (value === undefined) continue;
    made[key] = form.kind === 'group' ? { ...presetsOf(form.fields), ...(value as object) } : value;
  }
  return made as Partial<Of<F>>;
}

/** A group of a proxy's file with the defaults that such a file has too. */
export function filledIn<T extends object>(fields: Fields, given: T): T {
  const made = { ...given } as Record<string, unknown>;
  for (const [key, { form, preset: value, isFilled }] of Object.entries(fields)) {
    if (!isFilled) continue;
    made[key] =
      form.kind === 'group' ? filledIn(form.fields, made[key] ?? {}) : (made[key] ?? value);
  }
  return made as T;
}
