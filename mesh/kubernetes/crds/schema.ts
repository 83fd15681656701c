/** Short constructors of OpenAPI v3 schemas, so that a custom resource reads as a list of its fields. */

export type Schema = Record<string, unknown>;

export const text = (description: string, more: Schema = {}): Schema => ({
  type: 'string',
  description,
  ...more,
});
export const oneOf = (description: string, ...values: string[]): Schema =>
  text(description, { enum: values });
export const whole = (description: string, minimum: number, maximum?: number): Schema => ({
  type: 'integer',
  description,
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});
export const number = (description: string, minimum: number, maximum?: number): Schema => ({
  type: 'number',
  description,
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});
export const flag = (description: string): Schema => ({ type: 'boolean', description });
export const list = (items: Schema, description: string, minItems = 0): Schema => ({
  type: 'array',
  description,
  items,
  ...(minItems > 0 ? { minItems } : {}),
});
export const port = (description: string): Schema => whole(description, 1, 65535);
export const duration = (description: string): Schema =>
  text(`${description} (300ms, 10s, 1m30s)`, { pattern: '^([0-9]+(h|m|s|ms))+$' });

/** Names that end in `!` are required. */
export function fields(all: Record<string, Schema>, description?: string): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const [key, schema] of Object.entries(all)) {
    const name = key.endsWith('!') ? key.slice(0, -1) : key;
    if (name !== key) required.push(name);
    properties[name] = schema;
  }
  return {
    type: 'object',
    ...(description ? { description } : {}),
    properties,
    ...(required.length > 0 ? { required } : {}),
  };
}

/** Kubernetes' own conditions, by which every object of ours reports whether it was accepted. */
export const status: Schema = fields({
  conditions: list(
    fields({
      'type!': text('Accepted'),
      'status!': oneOf('whether it holds', 'True', 'False', 'Unknown'),
      observedGeneration: { type: 'integer', format: 'int64' },
      lastTransitionTime: { type: 'string', format: 'date-time' },
      'reason!': text('one word'),
      message: text('for people'),
    }),
    'what the controller made of it',
  ),
});

export const labelSelector: Schema = fields({
  matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
  matchExpressions: list(
    fields({
      'key!': text('label'),
      'operator!': oneOf('comparison', 'In', 'NotIn', 'Exists', 'DoesNotExist'),
      values: list({ type: 'string' }, 'for In and NotIn'),
    }),
    'all must hold',
  ),
});
