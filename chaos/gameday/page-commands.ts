/**
 * Runs a page's commands during a drill: `firedrill` is this program, and `kubectl` a stand-in that asks the drilled
 * system where it is no cluster. Each command has a time limit, and its output a bound.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../../base/paths.js';
import { pathWithTools } from '../../base/tools.js';

const limitMs = 30_000;
const outputMax = 64 * 1024;

export interface PageCommands {
  run(command: string): Promise<{ code: number | string; output: string }>;
  stop(): void;
}

/** `admin`: of the supervisor that stands for a cluster; absent where the system is one. */
export function startPageCommands(admin: string | undefined): PageCommands {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-page-'));
  const put = (name: string, script: string, args: string): void => {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${script}" ${args}"$@"\n`);
    chmodSync(file, 0o700);
  };
  put('firedrill', program('cli'), '');
  if (admin !== undefined) put('kubectl', program('chaos/system/kubectl-stand-in'), `${admin} `);
  const path = `${folder}:${pathWithTools()}`;
  return {
    run: (command) => runBounded(command, { ...process.env, PATH: path }),
    stop: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function runBounded(
  command: string,
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | string; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    const take = (chunk: Buffer): void => {
      if (output.length < outputMax) output += chunk.toString('utf8').slice(0, outputMax);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => {
      // It and what it started.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, limitMs);
    const end = (code: number | string): void => {
      clearTimeout(timer);
      resolve({ code, output });
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(code ?? signal ?? 'nothing'));
  });
}
