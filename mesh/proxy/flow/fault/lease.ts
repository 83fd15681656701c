/** The check of a fault lease: people and programs send faults to the admin port. */
import { randomUUID } from 'node:crypto';
import { type Problem, UserError } from '../../../../base/errors.js';
import type { FaultLease } from '../../../model.js';

export const maxTtlMs = 600_000;

const actions = [
  'delayMs',
  'delayJitterMs',
  'abortStatus',
  'reset',
  'blackhole',
  'bytesPerSecond',
] as const;
const matchFields = ['destination', 'route', 'method', 'pathPrefix', 'identity'] as const;
const known: readonly string[] = ['id', 'side', 'match', 'ratio', 'ttlMs', ...actions];

/** Throws a UserError that names every wrong field. A missing `ratio` becomes 1; a missing `id` is chosen. */
export function checkedLease(value: unknown): FaultLease {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError({ message: 'not a fault lease', expected: 'a JSON object' });
  }
  const lease = value as Record<string, unknown>;
  const problems: Problem[] = [];
  const bad = (message: string, expected: string): void => {
    problems.push({ message, expected });
  };
  for (const key of Object.keys(lease)) {
    if (!known.includes(key)) bad(`unknown field ${key}`, known.join(', '));
  }
  if (lease.side !== 'inbound' && lease.side !== 'outbound') {
    bad('bad side', 'inbound or outbound');
  }
  const number = (field: string, from: number, to: number, what: string): void => {
    const n = lease[field];
    if (n === undefined) return;
    if (typeof n !== 'number' || !(n >= from && n <= to)) bad(`bad ${field}`, what);
  };
  number('ratio', 0, 1, 'a share from 0 to 1');
  number('delayMs', 0, maxTtlMs, `milliseconds, at most ${maxTtlMs}`);
  number('delayJitterMs', 0, maxTtlMs, `milliseconds, at most ${maxTtlMs}`);
  number('abortStatus', 200, 599, 'an HTTP status from 200 to 599');
  number('bytesPerSecond', 1, 1e12, 'bytes, at least 1');
  if (lease.ttlMs === undefined) bad('no ttlMs', 'how long it lasts unless renewed');
  number('ttlMs', 1, maxTtlMs, `milliseconds, at most ${maxTtlMs}`);
  for (const flag of ['reset', 'blackhole']) {
    const on = lease[flag];
    if (on !== undefined && typeof on !== 'boolean') bad(`bad ${flag}`, 'true or false');
  }
  if (!actions.some((a) => lease[a] !== undefined && lease[a] !== false)) {
    bad('the lease has no effect', `one of ${actions.join(', ')}`);
  }
  const match = lease.match ?? {};
  if (typeof match !== 'object' || Array.isArray(match)) {
    bad('bad match', matchFields.join(', '));
  } else {
    for (const [key, text] of Object.entries(match)) {
      if (!(matchFields as readonly string[]).includes(key) || typeof text !== 'string') {
        bad(`bad match.${key}`, `text for one of ${matchFields.join(', ')}`);
      }
    }
  }
  if (problems.length > 0) throw new UserError(problems);
  const { id } = lease;
  return {
    ...(lease as unknown as FaultLease),
    ratio: typeof lease.ratio === 'number' ? lease.ratio : 1,
    id: typeof id === 'string' && id !== '' ? id.slice(0, 100) : randomUUID(),
  };
}
