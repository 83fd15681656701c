/** Checks the form of described fields in a proxy's file. */
import { type Fields, type Form, headerName, headerValue } from '../schema/fields.js';
import {
  type Field as Required,
  flag,
  list,
  number,
  object,
  oneOf,
  regex,
  required,
  type Shape,
  text,
  tuple,
} from './shape.js';

export const name = text({ pattern: /^[^\s]+$/, expected: 'a name' });
const header = text(headerName);
export const headerPairs = list(tuple(header, text(headerValue)));
const status = number({ min: 100, max: 999 });

/** Statuses from the first to the second. */
const range: Shape = (value, path, found) => {
  tuple(status, status)(value, path, found);
  if (!Array.isArray(value) || !((value[0] as number) > (value[1] as number))) return;
  found.push({ path, message: 'an empty range', expected: 'the smaller status first' });
};

export const shapeOf = (fields: Fields): Shape => object(shapesOf(fields));

export function shapesOf(fields: Fields): Record<string, Shape | Required> {
  const shapes = Object.entries(fields).map(([key, { form, needed, isFilled }]) => {
    const shape = shapeOfForm(form);
    return [key, needed && !isFilled ? required(shape) : shape];
  });
  return Object.fromEntries(shapes) as Record<string, Shape | Required>;
}

function shapeOfForm(form: Form): Shape {
  switch (form.kind) {
    case 'name':
      return name;
    case 'text':
      return text(form);
    case 'header':
      return header;
    case 'flag':
      return flag;
    case 'number':
    case 'duration':
      return number(form);
    case 'statuses':
      return list(range);
    case 'pairs':
      return headerPairs;
    case 'choice':
      return oneOf(...form.choices);
    case 'list':
      return list(shapeOfForm(form.item));
    case 'group':
      return shapeOf(form.fields);
    case 'comparison':
      return comparison(form);
  }
}

/** A comparison with `value`; `kind` names the kind of comparison. */
function comparison({ kinds, named }: Extract<Form, { kind: 'comparison' }>): Shape {
  const kindOf = required(oneOf(...kinds));
  const ofName = named && { name: required(named === 'header' ? header : text()) };
  return (value, path, found) => {
    const { kind } = (value ?? {}) as { kind?: unknown };
    const compared = kind === 'regex' ? regex : text();
    object({
      ...ofName,
      kind: kindOf,
      value: kind === 'present' ? compared : required(compared),
    })(value, path, found);
  };
}
