/** Turns the model's header changes into the fronts' edits. */
import type { HeaderChanges } from '../../../model.js';
import type { HeaderEdits } from '../contract.js';
import { dashed } from '../reserved.js';

/** Only the front may change hop-by-hop and framing headers; a route that named them would break messages. */
const untouchable = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Undefined when there is nothing to change. */
export function headerEdits(
  changes: HeaderChanges | undefined,
  alone: readonly string[] = [],
): HeaderEdits | undefined {
  const remove = changes?.remove ?? [];
  const set = lowerCased(changes?.set);
  const add = lowerCased(changes?.add);
  if (remove.length + set.length + add.length + alone.length === 0) return undefined;
  const kept = remove
    .map((name) => name.toLowerCase())
    .filter((name) => !untouchable.has(dashed(name)));
  return { remove: kept, set, add, ...(alone.length > 0 && { alone }) };
}

function lowerCased(pairs: readonly [string, string][] = []): [string, string][] {
  return pairs
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.replace(/[\r\n\0]/g, ' ')])
    .filter(([name]) => !untouchable.has(dashed(name)));
}
