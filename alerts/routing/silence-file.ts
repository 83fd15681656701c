/**
 * Reads silences from a file: the format of `amtool silence query -o json` and Alertmanager's API, or handwritten
 * YAML.
 */
import * as z from 'zod';
import { messageOf, type Problem, UserError } from '../../base/errors.js';
import { checkYaml, readYaml, type YamlDocument } from '../../base/yaml.js';
import { readTimeMs } from '../../base/time-text.js';
import { type AmSilence, matchersOfSilence, toSilenceMatcher } from './alertmanager-api.js';
import { parseMatcher } from './matchers.js';

const text = z.string({ error: 'expected a text' }).min(1, { error: 'expected some text' });
const time = text.refine((value) => !Number.isNaN(readTimeMs(value)), {
  error: 'expected a time such as 2026-12-01T22:00:00Z',
});

const silences = z
  .array(
    z.looseObject({
      id: text.optional(),
      matchers: z
        .array(
          z.union(
            [
              text,
              z.looseObject({
                name: text,
                value: z.string(),
                isRegex: z.boolean().default(false),
                isEqual: z.boolean().default(true),
              }),
            ],
            { error: 'expected such as severity="page", or name, value, isRegex, isEqual' },
          ),
        )
        .min(1, { error: 'expected a matcher' }),
      startsAt: time.optional(),
      endsAt: time.optional(),
      createdBy: z.string().default(''),
      comment: z.string().default(''),
      status: z.looseObject({ state: z.enum(['active', 'pending', 'expired']) }).optional(),
    }),
    { error: 'expected a list of silences' },
  )
  .describe('without startsAt and endsAt a silence is in force');

/** Reads a file of silences. Throws a UserError with the place of every mistake. */
export function readSilences(file: string): AmSilence[] {
  const [document, ...more] = readYaml(file);
  if (!document || more.length > 0) {
    throw new UserError({ message: `${file}: no silences`, expected: 'one list of them' });
  }
  const problems: Problem[] = [];
  const read = checkYaml(document, silences).map((silence, i): AmSilence => {
    const { id, matchers, startsAt, endsAt, createdBy, comment, status } = silence;
    const own = {
      matchers: matchers.flatMap((m, j) => {
        try {
          if (typeof m === 'string') return [toSilenceMatcher(parseMatcher(m))];
          return [{ name: m.name, value: m.value, isRegex: m.isRegex, isEqual: m.isEqual }];
        } catch (error) {
          problems.push(problemAt(document, [i, 'matchers', j], error));
          return [];
        }
      }),
      startsAt: startsAt ?? new Date(0).toISOString(),
      endsAt: endsAt ?? '9999-01-01T00:00:00Z',
      createdBy,
      comment,
      ...(id !== undefined && { id }),
      ...(status && { status: { state: status.state } }),
    };
    try {
      matchersOfSilence(own);
    } catch (error) {
      problems.push(problemAt(document, [i, 'matchers'], error));
    }
    return own;
  });
  if (problems.length > 0) throw new UserError(problems);
  return read;
}

const problemAt = (document: YamlDocument, path: (string | number)[], error: unknown): Problem => ({
  place: document.placeOf(path),
  message: messageOf(error),
});

/** A silence as text: `'database moves' (alice, until 2026-12-01T22:00:00Z)`. */
export function silenceWords({
  comment,
  createdBy,
  endsAt,
}: Pick<AmSilence, 'comment' | 'createdBy' | 'endsAt'>): string {
  const until = endsAt.startsWith('9999-') ? '' : `until ${endsAt}`;
  const more = [createdBy, until].filter((part) => part !== '').join(', ');
  const name = comment === '' ? 'a silence without a comment' : `'${comment}'`;
  return more === '' ? name : `${name} (${more})`;
}
