/**
 * Runs one pattern: `node dist/examples/patterns/run.js NAME [--keep]`. Starts its processes, demonstrates them and
 * ends them; with --keep they stay until Ctrl-C. Without a name, it prints the list of patterns.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { dieWithParent } from '../../base/child.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { requireTool } from '../../base/tools.js';
import { externalProxy } from './external-proxy/pattern.js';
import { functions } from './functions/pattern.js';
import { gateway } from './gateway/pattern.js';
import { nodeProxy } from './node-proxy/pattern.js';
import type { Pattern } from './pattern.js';
import { sidecar } from './sidecar/pattern.js';
import { Stage } from './stage.js';
import { twoDomains } from './two-domains/pattern.js';
import { vm } from './vm/pattern.js';

export const patterns: readonly Pattern[] = [
  sidecar,
  nodeProxy,
  gateway,
  twoDomains,
  externalProxy,
  vm,
  functions,
];

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { keep: { type: 'boolean', default: false } },
  });
  const [name] = positionals;
  if (name === undefined) {
    for (const p of patterns) process.stdout.write(`${p.name.padEnd(16)}${p.summary}\n`);
    return 0;
  }
  const pattern = patterns.find((p) => p.name === name);
  if (!pattern) {
    throw new UserError({
      message: `no pattern '${name}'`,
      expected: `one of ${patterns.map((p) => p.name).join(', ')}`,
    });
  }
  for (const tool of pattern.needs ?? []) requireTool(tool);
  const ended = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve);
    dieWithParent(resolve);
  });
  for (let attempt = 1; ; attempt++) {
    try {
      await play(pattern, ended, values.keep);
      return 0;
    } catch (error) {
      // Another process took a port that was free a moment ago, so other ports are chosen.
      if (attempt >= 3 || !messageOf(error).includes('EADDRINUSE')) throw error;
      say(`${messageOf(error)}: again, with other ports`);
    }
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function play(pattern: Pattern, ended: Promise<void>, keep: boolean): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-pattern-'));
  const stage = new Stage(folder, say);
  try {
    await Promise.race([pattern.run(stage), ended]);
    if (keep) {
      say(`it runs in ${folder}; Ctrl-C ends it`);
      await ended;
    }
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(error instanceof UserError ? error.exitCode : exitCode.failed);
  },
);
