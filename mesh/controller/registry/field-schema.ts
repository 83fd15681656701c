/** Reads described fields as the registry writes them, and turns them into the model's form. */
import * as z from 'zod';
import {
  type Field,
  type Fields,
  type Form,
  headerName,
  headerValue,
  type Of,
  type TypeOf,
} from '../../schema/fields.js';
import { duration, durationSeconds, regex, statuses } from './fields.js';

/** The reader of a group: a strict map. */
export function readerOf<F extends Fields>(fields: F): z.ZodType<Of<F>> {
  const written = Object.entries(fields)
    .filter(([, field]) => !field.isHidden)
    .map(([key, field]) => ({ key, field, from: nameInRegistry(key, field) }));
  const shape = Object.fromEntries(written.map(({ from, field }) => [from, optional(field)]));
  return z.strictObject(shape).transform((value) => {
    const made: Record<string, unknown> = {};
    for (const { key, field, from } of written) {
      const given = value[from] ?? field.presetFrom?.(value);
      if (given !== undefined) made[key] = given;
    }
    return made as Of<F>;
  });
}

/** The readers of a group's fields by their names in the registry, without defaults: those of an owner may apply. */
export function optionalReaders<F extends Fields>(fields: F): OptionalReaders<F> {
  const readers = Object.entries(fields).map(([key, field]) => [
    nameInRegistry(key, field),
    readerOfForm(field.form).optional(),
  ]);
  return Object.fromEntries(readers) as OptionalReaders<F>;
}

type OptionalReaders<F> = {
  [K in keyof F as K extends `${infer Bare}Ms` ? Bare : K]: z.ZodOptional<z.ZodType<TypeOf<F[K]>>>;
};

/** Durations are texts with a unit of their own: `requestMs` is `request`. */
export function nameInRegistry(key: string, { form, registryName }: Field): string {
  return registryName ?? (form.kind === 'duration' ? key.slice(0, -form.unit.length) : key);
}

function optional(field: Field): z.ZodType {
  const { preset, form, mayBeUnlimited } = field;
  let reader = readerOfForm(form);
  if (mayBeUnlimited) {
    reader = z.union([z.literal('unlimited').transform(() => undefined), reader]);
  }
  if (preset !== undefined) {
    return form.kind === 'group' ? reader.prefault(preset) : reader.default(preset);
  }
  return field.needed && !field.presetFrom ? reader : reader.optional();
}

const fitting = ({ pattern, expected }: { pattern: RegExp; expected: string }): z.ZodString =>
  z.string().regex(pattern, `must be ${expected}`);
const header = fitting(headerName).toLowerCase();

function readerOfForm(form: Form): z.ZodType {
  switch (form.kind) {
    case 'name': {
      let reader = z.string();
      if (form.minLength !== undefined) reader = reader.min(form.minLength);
      return form.maxLength === undefined ? reader : reader.max(form.maxLength);
    }
    case 'text': {
      const { pattern, expected = '' } = form;
      return pattern ? fitting({ pattern, expected }) : z.string();
    }
    case 'header':
      return header;
    case 'flag':
      return z.boolean();
    case 'number':
      return numberReader(form);
    case 'duration':
      return form.unit === 'Ms' ? duration : durationSeconds;
    case 'statuses':
      return statuses;
    case 'pairs':
      return z
        .record(fitting(headerName), fitting(headerValue))
        .transform((map) => Object.entries(map));
    case 'choice': {
      const [first, ...others] = form.choices.map((c) => z.literal(c));
      return typeof form.choices[0] === 'string'
        ? z.enum(form.choices as string[])
        : z.union([first as z.ZodType, ...others]);
    }
    case 'list':
      return z.array(readerOfForm(form.item)).min(form.registryLeast);
    case 'group':
      return readerOf(form.fields);
    case 'comparison':
      return comparison(form);
  }
}

function numberReader(form: Extract<Form, { kind: 'number' }>): z.ZodType {
  const { min, max, above } = { min: form.min ?? 0, max: form.max, ...form.registry } as {
    min: number;
    max?: number;
    above?: number;
  };
  const reader = form.whole ? z.int() : z.number();
  const from = above === undefined ? reader.min(min) : reader.gt(above);
  return max === undefined ? from : from.max(max);
}

/** `{ prefix: /cart }` becomes `{ kind: prefix, value: /cart }`. */
function comparison({ kinds, named }: Extract<Form, { kind: 'comparison' }>): z.ZodType {
  const exact = named ? z.string() : z.string().startsWith('/');
  const readers: Record<string, z.ZodType> = { regex, present: z.literal(true) };
  const name = named === 'header' ? header : z.string().min(1);
  return z
    .strictObject({
      ...(named && { name }),
      ...Object.fromEntries(kinds.map((kind) => [kind, (readers[kind] ?? exact).optional()])),
    } as Record<string, z.ZodType>)
    .refine((value) => kinds.filter((kind) => value[kind] !== undefined).length === 1, {
      message: `must have one of ${kinds.join(', ')}`,
    })
    .transform((value) => {
      const kind = kinds.find((k) => value[k] !== undefined) as string;
      return {
        ...(named && { name: value.name }),
        kind,
        ...(kind !== 'present' && { value: value[kind] }),
      };
    });
}
