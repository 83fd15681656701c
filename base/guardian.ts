/**
 * A program of ours that starts a program of others and ends it. Standard input is a pipe from the process that wants
 * the program; the pipe's end means that this process died. Arguments: the program and its arguments.
 */
import { spawn } from 'node:child_process';
import { dieWithParent } from './child.js';
import { dyingWithParent } from './foreign-program.js';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) throw new Error('guardian: no program was named');

// Where the kernel supports it, the program also ends if this guardian is killed.
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
