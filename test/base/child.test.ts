import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { dyingWithParent } from '../../base/foreign-program.js';
import { startNode, startProgram } from '../../base/child.js';
import { program } from '../../base/paths.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-child-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const childModule = JSON.stringify(pathToFileURL(program('base/child')).href);

const worker = join(folder, 'worker.mjs');
writeFileSync(
  worker,
  `import { dieWithParent } from ${childModule};
dieWithParent();
console.log(JSON.stringify({ ready: true, pid: process.pid }));
setInterval(() => {}, 1000);`,
);

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a child reports that it is ready, and stops on request', async () => {
  const child = startNode('worker', worker, []);
  expect(await child.ready).toMatchObject({ ready: true });
  await child.stop();
  expect(alive(child.pid)).toBe(false);
});

test('a child that ends before it is ready says why', async () => {
  const script = join(folder, 'broken.mjs');
  writeFileSync(script, `console.error('port 80 is busy'); process.exit(5);`);
  await expect(startNode('broken', script, []).ready).rejects.toThrow(
    /broken ended with 5.*port 80 is busy/s,
  );
});

test('a line without an end is kept in part', async () => {
  const endless = `process.stdout.write('x'.repeat(1_000_000) + '\\n')`;
  const child = startProgram('endless', process.execPath, ['-e', endless]);
  const error = await child.ready.catch((e: Error) => e);
  expect((error as Error).message).toMatch(/^endless said 'x{65536}' where its ports/);
});

test('a child does not outlive a parent killed with SIGKILL', async () => {
  const parentScript = join(folder, 'parent.mjs');
  writeFileSync(
    parentScript,
    `import { startNode } from ${childModule};
const child = startNode('worker', ${JSON.stringify(worker)}, []);
await child.ready;
console.log(child.pid);
setInterval(() => {}, 1000);`,
  );
  const parent = spawn(process.execPath, [parentScript], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
});

test('a child leads a group of its own: Ctrl-C at a terminal is for its parent alone', async () => {
  const script = 'console.log("{}"); setInterval(() => 0, 1000)';
  const child = startProgram('child', process.execPath, ['-e', script]);
  await child.ready;
  expect(process.kill(-child.pid, 0)).toBe(true);
  await child.stop();
});

test('a program begins only while its parent is the process that started it', () => {
  const argv = dyingWithParent(['echo', 'begun']);
  const own = spawnSync(argv[0] as string, argv.slice(1), { encoding: 'utf8' });
  expect(own.stdout).toBe('begun\n');
  // Between the two stands a shell, as the init process does once a parent is gone.
  const other = spawnSync('/bin/sh', ['-c', '"$@"; :', 'sh', ...argv], { encoding: 'utf8' });
  expect(other.stdout).toBe('');
});
