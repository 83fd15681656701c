/**
 * Runs a page's commands during a drill: `firedrill` is this program, and `kubectl` is a stand-in that asks the drilled
 * system if there is no cluster. Each command has a time limit, and its output is limited.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../../base/paths.js';
import { pathWithTools } from '../../base/tools.js';
import { argvOf, runCommand } from '../faults/run-command.js';

const limitMs = 30_000;
const keptBytes = 64 * 1024;

export interface PageCommands {
  /** `signal` kills the command and its descendants early; its code is then `stopped`. */
  run(command: string, signal: AbortSignal): Promise<{ code: number | string; output: string }>;
  stop(): void;
}

/** `admin`: the address of the supervisor that stands in for a cluster; absent if the system is a cluster. */
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
    run: async (command, signal) => {
      const { code, trouble, stdout, stderr } = await runCommand({
        argv: argvOf(command),
        folder: process.cwd(),
        limitMs,
        signal,
        env: { PATH: path },
        dieWithParent: true,
        keptBytes,
      });
      return { code: code ?? trouble ?? 'nothing', output: stdout + stderr };
    },
    stop: () => rmSync(folder, { recursive: true, force: true }),
  };
}
