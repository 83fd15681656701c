/**
 * A foreign program in its own process group: it is stopped in its configured way, and the processes that it started
 * end with it. If the kernel supports it, the program also dies when this process is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:http';
import { connect } from 'node:net';
import { type Child, exitOf } from '../../../base/child.js';
import { sleep } from '../../../base/clock.js';
import { dyingWithParent, inheritedEnvironment } from '../../../base/foreign-program.js';
import { eachLine } from '../../../base/lines.js';
import { pathWithTools } from '../../../base/tools.js';
import { argvOf } from '../../faults/run-command.js';
import { listeningAt } from './listening.js';
import { loopback } from './network.js';
import { signalStrays, straysOf, strayVariable } from './strays.js';

export type Readiness =
  | ({ kind: 'http'; path: string } & Asked)
  | ({ kind: 'tcp' } & Asked)
  | { kind: 'log'; pattern: RegExp };

/** The address of the service's network, if it has its own. */
interface Asked {
  host?: string;
  port: number;
}

export interface ForeignProgram {
  /** A single text is for sh. */
  command: string | readonly string[];
  cwd: string;
  env: Record<string, string>;
  /** The mark by which processes that leave the group are found (strays.ts). */
  mark?: string;
  ready: Readiness;
  readyLimitMs: number;
  stop: { signal: NodeJS.Signals; withinMs: number };
}

const pollMs = 50;
const probeLimitMs = 1000;
const keptCharacters = 4000;
const maxLine = 4096;

/** Sends a signal to the whole group; returns whether the group existed. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

export function startForeign(
  name: string,
  program: ForeignProgram,
  onLine: (line: string) => void,
): Child {
  const { command, cwd, env, mark } = program;
  const whole = dyingWithParent(argvOf(command));
  const child = spawn(whole[0] as string, whole.slice(1), {
    cwd,
    env: {
      ...inheritedEnvironment(),
      PATH: pathWithTools(),
      ...env,
      ...(mark !== undefined && { [strayVariable]: mark }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = exitOf(child);
  let words = '';
  let said = false;
  const { ready } = program;
  for (const stream of [child.stdout, child.stderr]) {
    eachLine(stream, maxLine, (line) => {
      words = `${words}${line}\n`.slice(-keptCharacters);
      if (ready.kind === 'log' && !said) said = ready.pattern.test(line);
      onLine(line);
    });
  }
  const answer = untilReady(
    name,
    child,
    program,
    () => said,
    () => words.trim(),
  );
  answer.catch(() => undefined);
  return {
    name,
    process: child,
    pid: child.pid ?? -1,
    ready: answer,
    exited,
    async stop(graceMs = program.stop.withinMs) {
      const pid = child.pid;
      if (pid === undefined) return;
      if (child.exitCode === null && child.signalCode === null) {
        signalGroup(pid, program.stop.signal);
        // A stopped process handles no other signal.
        signalGroup(pid, 'SIGCONT');
        const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
        await exited;
        clearTimeout(timer);
      }
      signalGroup(pid, 'SIGKILL');
      if (mark !== undefined) signalStrays(mark, 'SIGKILL');
    },
  };
}

async function untilReady(
  name: string,
  child: ChildProcess,
  { ready, readyLimitMs, mark }: ForeignProgram,
  said: () => boolean,
  words: () => string,
): Promise<Record<string, unknown>> {
  const end = performance.now() + readyLimitMs;
  let failure: string | undefined;
  child.on('error', (error) => (failure = error.message));
  for (;;) {
    const code = child.exitCode ?? child.signalCode;
    if (failure !== undefined || code !== null) {
      // A daemon begins with this exit.
      const stay = code === 0 ? ', where it is expected to go on in the foreground' : '';
      const how = failure ?? `it ended with ${code}${stay}`;
      throw new Error(`${name} cannot be started: ${how}${words() === '' ? '' : `: ${words()}`}`);
    }
    if (ready.kind === 'log' ? said() : await probe(ready)) return {};
    if (performance.now() > end) {
      const what =
        ready.kind === 'log'
          ? `no line of its output matches ${ready.pattern.source}`
          : unheard(ready, mark === undefined ? [] : listeningAt(straysOf(mark)));
      throw new Error(
        `${name} is not ready after ${readyLimitMs / 1000} s: ${what}${words() === '' ? '' : `\n${words()}`}`,
      );
    }
    await sleep(pollMs);
  }
}

/** The addresses that did not answer; a service that listens elsewhere has not read its port. */
function unheard(ready: Exclude<Readiness, { kind: 'log' }>, found: readonly string[]): string {
  const asked = `${ready.host ?? loopback}:${ready.port}`;
  const wrong =
    ready.kind === 'http'
      ? `no good answer at http://${asked}${ready.path}`
      : `nobody listens at ${asked}`;
  const reached = [`${loopback}:${ready.port}`, `0.0.0.0:${ready.port}`, `[::]:${ready.port}`];
  if (found.length === 0 || found.some((address) => reached.includes(address))) return wrong;
  return `${wrong}; it listens at ${found.join(', ')}`;
}

/** Whether the service answers there. */
export function probe(ready: Exclude<Readiness, { kind: 'log' }>): Promise<boolean> {
  const { port, host = loopback } = ready;
  return new Promise((resolve) => {
    if (ready.kind === 'tcp') {
      const socket = connect({ port, host, timeout: probeLimitMs });
      const end = (good: boolean): void => {
        socket.destroy();
        resolve(good);
      };
      socket.on('connect', () => end(true)).on('error', () => end(false));
      socket.on('timeout', () => end(false));
      return;
    }
    const { path } = ready;
    const end = (good: boolean): void => {
      clearTimeout(late);
      asked.destroy();
      resolve(good);
    };
    // The status is enough; the check does not wait for the end of a head or a body.
    const asked = request({ host, port, path }, ({ statusCode = 500 }) =>
      end(statusCode >= 200 && statusCode < 400),
    );
    const late = setTimeout(() => end(false), probeLimitMs);
    asked.on('error', () => end(false)).end();
  });
}
