/** Two nodes on one machine would remove each other's namespaces, so the second is refused. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { claim } from './owner.js';

const hasProc = existsSync('/proc/self/stat');

test.runIf(hasProc)('a node is refused while its owner runs, and not after the end', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-owner-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'owner');
  claim(file);
  expect(() => claim(file)).toThrow(`process ${process.pid} runs a node`);
  const other = spawn('sleep', ['60']);
  const start = readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(' ')[21];
  writeFileSync(file, `${other.pid} ${start}`);
  expect(() => claim(file)).toThrow(`process ${other.pid} runs a node`);
  other.kill();
  await once(other, 'exit');
  claim(file);
  expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
  // A later process with the owner's id is another one.
  writeFileSync(file, `${process.pid} 1`);
  claim(file);
});
