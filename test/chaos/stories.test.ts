/**
 * Whole drills to the millisecond, on simulated time: each request, event and line, and the record. UPDATE=1 rewrites
 * the golden files.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../base/paths.js';
import type { Clock } from '../../base/clock.js';
import type { RunContext } from '../../chaos/runner/context.js';
import { type Mutation, smallDrill } from './small-drill.js';
import { stories } from './stories.cases.js';

const folder = join(packageRoot, 'test/chaos/stories');

/** All lines of a drill in order, and its record. */
async function told(mutation: Mutation): Promise<string> {
  const lines: string[] = [];
  let nowMs = (): number => 0;
  const say = (what: string, value: unknown): void =>
    void lines.push(
      `${nowMs()} ${what} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  let progress = '';
  const record = await smallDrill({
    ...mutation,
    asked: (request) => say('asks', request),
    emit: (event) => say('emits', event),
    context: (clock: Clock, usual: RunContext) => {
      nowMs = () => clock.nowMs();
      return {
        event: (event) => say('event', event),
        line: (text) => say('line', text),
        progress: (text) => {
          if (text !== progress) say('progress', text);
          progress = text;
        },
        ...mutation.context?.(clock, usual),
      };
    },
  });
  const facts = Object.entries(record).map(([key, fact]) => `${key}: ${JSON.stringify(fact)}`);
  const text = [...lines, ...facts, ''].join('\n');
  return text.replace(/http:\/\/cart-\d+\.example/g, 'http://cart');
}

test.each(Object.keys(stories))('%s', async (name) => {
  const text = await told(stories[name]!());
  const file = join(folder, `${name}.txt`);
  if (process.env.UPDATE === '1') writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, 'utf8'));
});

test('each golden file has its story', () => {
  const names = Object.keys(stories).map((name) => `${name}.txt`);
  expect(readdirSync(folder).sort()).toEqual(names.sort());
});
