/** Small functions that check the form of a value: the proxy checks its input without a schema library. */
import { patternProblem } from '../pattern/pattern.js';

export interface Found {
  path: readonly (string | number)[];
  message: string;
  expected?: string;
  /** The key itself is wrong, not its value. */
  atKey?: boolean;
}

export type Shape = (value: unknown, path: readonly (string | number)[], found: Found[]) => void;

export interface Field {
  shape: Shape;
  required: boolean;
}

export const required = (shape: Shape): Field => ({ shape, required: true });

export function object(fields: Record<string, Shape | Field>): Shape {
  return (value, path, found) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      found.push({ path, message: 'not an object', expected: Object.keys(fields).join(', ') });
      return;
    }
    const given = value as Record<string, unknown>;
    for (const key of Object.keys(given)) {
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (!field) {
        const expected = Object.keys(fields).join(', ');
        found.push({
          path: [...path, key],
          message: `unknown field '${key}'`,
          expected,
          atKey: true,
        });
      } else if (given[key] !== undefined) {
        (typeof field === 'function' ? field : field.shape)(given[key], [...path, key], found);
      }
    }
    for (const [key, field] of Object.entries(fields)) {
      if (typeof field !== 'function' && field.required && given[key] === undefined) {
        found.push({ path, message: `'${key}' is missing` });
      }
    }
  };
}

export const list =
  (shape: Shape, minLength = 0): Shape =>
  (value, path, found) => {
    if (!Array.isArray(value)) return void found.push({ path, message: 'not a list' });
    if (value.length < minLength) found.push({ path, message: 'an empty list' });
    value.forEach((item: unknown, i) => shape(item, [...path, i], found));
  };

export const record =
  (shape: Shape): Shape =>
  (value, path, found) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return void found.push({ path, message: 'not an object' });
    }
    for (const [key, item] of Object.entries(value)) shape(item, [...path, key], found);
  };

export function text(options: { pattern?: RegExp; expected?: string } = {}): Shape {
  return (value, path, found) => {
    const { pattern, expected } = options;
    const fits = typeof value === 'string' && (!pattern || pattern.test(value));
    if (fits) return;
    const said = typeof value === 'string' ? `'${value}'` : 'not a string';
    found.push({ path, message: said, ...(expected && { expected }) });
  };
}

export function number(options: { min?: number; max?: number; whole?: boolean } = {}): Shape {
  const { min = 0, max = Number.MAX_SAFE_INTEGER, whole = false } = options;
  const expected = `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`;
  return (value, path, found) => {
    const fits =
      typeof value === 'number' &&
      value >= min &&
      value <= max &&
      (!whole || Number.isInteger(value));
    if (!fits) found.push({ path, message: `${JSON.stringify(value)}`, expected });
  };
}

export const flag: Shape = (value, path, found) => {
  if (typeof value !== 'boolean') found.push({ path, message: 'not true or false' });
};

export const oneOf =
  (...choices: readonly (string | number)[]): Shape =>
  (value, path, found) => {
    if (choices.includes(value as string)) return;
    found.push({ path, message: `${JSON.stringify(value)}`, expected: choices.join(', ') });
  };

/** A list of exactly these elements. */
export const tuple =
  (...shapes: readonly Shape[]): Shape =>
  (value, path, found) => {
    if (!Array.isArray(value) || value.length !== shapes.length) {
      return void found.push({ path, message: `not a list of ${shapes.length}` });
    }
    shapes.forEach((shape, i) => shape(value[i], [...path, i], found));
  };

export const regex: Shape = (value, path, found) => {
  if (typeof value !== 'string') return void found.push({ path, message: 'not a string' });
  const problem = patternProblem(value);
  if (problem === undefined) return;
  found.push({ path, message: `'${value}': ${problem}`, expected: 'a regular expression (RE2)' });
};
