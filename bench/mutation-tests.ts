/**
 * Replaces `vitest` during mutation runs (`mutation-runner.ts`): the same tests, kept in one process, so that an edit
 * costs the milliseconds of its tests and not the seconds of loading them.
 */
import { setTimeout } from 'node:timers/promises';
import { format } from 'node:util';
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
} from '@vitest/expect';
import * as chai from 'chai';

type Body = () => unknown;
type Check = (...expected: unknown[]) => void;

export interface KeptTest {
  name: string;
  run: () => Promise<void>;
}

interface Scope {
  names: string[];
  before: Body[];
  after: Body[];
  parent: Scope | undefined;
}

/** All declared tests, and the hooks that run once before and after all of them. */
export interface Kept {
  tests: KeptTest[];
  beforeAll: Body[];
  afterAll: Body[];
}

const kept = ((globalThis as { keptTests?: Kept }).keptTests ??= {
  tests: [],
  beforeAll: [],
  afterAll: [],
});

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** Repeats one assertion on what `read` returns, until it holds. */
const poll = (read: Body, { timeout = 1000, interval = 50 } = {}): object =>
  new Proxy(
    {},
    {
      get:
        (_, name) =>
        async (...expected: unknown[]): Promise<void> => {
          const endMs = performance.now() + timeout;
          for (;;) {
            try {
              const matchers = expect(await read()) as unknown as Record<PropertyKey, Check>;
              return (matchers[name] as Check)(...expected);
            } catch (error) {
              if (performance.now() > endMs) throw error;
              await setTimeout(interval);
            }
          }
        },
    },
  );

export const expect = Object.assign(
  (value: unknown, message?: string) => chai.expect(value, message),
  chai.expect,
  { poll },
  (globalThis as Record<symbol, object>)[ASYMMETRIC_MATCHERS_OBJECT],
) as unknown as Chai.ExpectStatic;
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true });
(chai.expect as unknown as { extend: (e: object, m: object) => void }).extend(
  expect,
  customMatchers,
);

let scope: Scope = { names: [], before: [], after: [], parent: undefined };

const around = (from: Scope | undefined, which: 'before' | 'after'): Body[] =>
  from === undefined ? [] : [...around(from.parent, which), ...from[which]];

/** vitest takes options, such as a time limit, before the body. */
function declare(name: string, ...given: unknown[]): void {
  const body = given.find((one): one is Body => typeof one === 'function') as Body;
  const own = scope;
  kept.tests.push({
    name: [...own.names, name].join(' '),
    run: async () => {
      for (const hook of around(own, 'before')) await hook();
      try {
        await body();
      } finally {
        for (const hook of around(own, 'after').toReversed()) await hook();
      }
    },
  });
}

function group(name: string, body: Body): void {
  scope = { names: [...scope.names, name], before: [], after: [], parent: scope };
  body();
  scope = scope.parent as Scope;
}

type Each = (
  rows: readonly unknown[],
) => (name: string, body: (...row: never[]) => unknown) => void;

const eachOf =
  (declareOne: (name: string, body: Body) => void): Each =>
  (rows) =>
  (name, body) => {
    rows.forEach((row, i) => {
      const values = Array.isArray(row) ? row : [row];
      const title = format(name.replaceAll('%#', String(i)), ...values);
      declareOne(title, () => body(...(values as never[])));
    });
  };

const skip = (): void => {};
const skipIf = (isSkipped: unknown) => (isSkipped ? skip : declare);
/** Tests run one after the other, because one edit at a time is switched on for one test at a time. */
const concurrent = Object.assign(declare, { each: eachOf(declare) });
export const test = Object.assign(declare, { each: eachOf(declare), skip, skipIf, concurrent });
export const describe = Object.assign(group, { each: eachOf(group), skip });
export const beforeEach = (body: Body): number => scope.before.push(body);
export const afterEach = (body: Body): number => scope.after.push(body);
export const beforeAll = (body: Body): number => kept.beforeAll.push(body);
export const afterAll = (body: Body): number => kept.afterAll.push(body);
