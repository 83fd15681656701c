/**
 * A program of ours that starts somebody else's and takes it down with it: standard input is a pipe from whoever wants
 * the program, and its end is that one's death, however it died. Arguments: the program and its arguments.
 */
import { spawn } from 'node:child_process';
import { dieWithParent } from './child.js';
import { dyingWithParent } from './foreign-program.js';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) throw new Error('guardian: no program was named');

// Where the kernel can be asked for it, the program also dies when this guardian is killed itself.
const [first = program, ...rest] = dyingWithParent([program, ...args]);
const child = spawn(first, rest, { stdio: ['ignore', 1, 2] });

const graceMs = 3000;
let ending = false;
function end(): void {
  if (ending) return;
  ending = true;
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), graceMs).unref();
}

child.on('error', (error) => {
  process.stderr.write(`${program} cannot be started: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 143)));
process.on('SIGTERM', end).on('SIGINT', end);
dieWithParent(end);
