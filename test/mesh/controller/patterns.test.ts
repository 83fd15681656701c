/** Every pattern of examples/patterns runs to its end; each checks its own claims. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { asset, program } from '../../../base/paths.js';
import { testWith } from '../../tools.js';

const names = [
  'sidecar',
  'node-proxy',
  'gateway',
  'two-domains',
  'external-proxy',
  'vm',
  'functions',
];
const limitMs = 120_000;

function play(...args: string[]): Promise<{ code: number | null; out: string }> {
  const child = spawn(process.execPath, [program('examples/patterns/run'), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, FIREDRILL_DIE_WITH_PARENT: '1' },
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
}

test('every folder of patterns is one that can be played, and is tested here', async () => {
  const folders = readdirSync(asset('examples/patterns'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(folders.toSorted()).toEqual(names.toSorted());
  const { out } = await play();
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]),
  ).toEqual(names);
  const bad = await play('mainframe');
  expect([bad.code, bad.out]).toEqual([2, expect.stringContaining("no pattern 'mainframe'")]);
});

for (const name of names) {
  const needs = name === 'external-proxy' ? testWith('haproxy') : test;
  needs(`${name} plays to its end`, { timeout: limitMs }, async () => {
    const { code, out } = await play(name);
    expect(out).toMatch(/^ok /m);
    expect([code, out.split('\n').at(-2)]).toEqual([0, expect.stringMatching(/^ok /)]);
  });
}
