/** The processes of a system: each can be stopped, killed, paused and started again, and its events are recorded. */
import { readFileSync } from 'node:fs';
import { type Child, startNode } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { ProcessEvent } from '../model.js';
import { type ForeignProgram, probe, signalGroup, startForeign } from './foreign.js';
import { loopback } from './network.js';
import { signalStrays, straysOf } from './strays.js';

export interface ProcessDescription {
  name: string;
  kind: 'service' | 'proxy' | 'controller' | 'relay';
  /** The workload or service to which the process belongs, for people. */
  workload: string;
  /** Our own program, which prints its ports on its first line, or a user's program. */
  program: OwnProgram | ForeignProgram;
  /** Delay in milliseconds for a restart after the process ended by itself; absent: never. */
  restartAfterMs?: number;
}

export interface OwnProgram {
  script: string;
  args: readonly string[];
  nodeFlags?: readonly string[];
  env?: Record<string, string>;
}

const isForeign = ({ program }: ProcessDescription): boolean => 'command' in program;

function launch({ name, program }: ProcessDescription, onStderr: (line: string) => void): Child {
  if ('command' in program) return startForeign(name, program, onStderr);
  return startNode(name, program.script, program.args, {
    ...(program.nodeFlags && { nodeFlags: program.nodeFlags }),
    ...(program.env && { env: program.env }),
    onStderr,
  });
}

const maxEvents = 1000;
const startLimitMs = 30_000;
/** Number of last lines of standard error that are kept for a process that ends by itself. */
const keptLines = 20;

/** The last meaningful line: stack frames say little to users. */
function lastWords(lines: readonly string[]): string {
  const words = lines.filter((line) => /[\p{L}]/u.test(line) && !/^\s+at /.test(line));
  return (words.findLast((line) => /error|fatal|panic/i.test(line)) ?? words.at(-1) ?? '').trim();
}

/** The kernel's letter for what the process does: T is stopped. */
function stateOf(pid: number): string | undefined {
  try {
    // The name before it may contain anything but ends with a bracket.
    return /\) (\S)[^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

export class Processes {
  readonly events: ProcessEvent[] = [];
  readonly #running = new Map<string, Child>();
  readonly #described = new Map<string, ProcessDescription>();
  readonly #ready = new Map<string, Record<string, unknown>>();
  readonly #expected = new Set<string>();
  readonly #restarts = new Map<string, NodeJS.Timeout>();
  readonly #say: (line: string) => void;
  #closing = false;
  /** Called with each started process, before it is ready; `group`: the process leads a process group. */
  onStart: (started: { name: string; pid: number; group: boolean }) => void = () => undefined;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** The process's ready message: its ports. */
  readyOf(name: string): Record<string, unknown> {
    return this.#ready.get(name) ?? {};
  }

  pidOf(name: string): number | undefined {
    return this.#running.get(name)?.pid;
  }

  /** The process and its identifiable descendants. */
  pidsOf(name: string): number[] {
    const child = this.#running.get(name);
    const description = this.#described.get(name);
    if (!child || !description || child.pid <= 0) return [];
    const { program } = description;
    const marked = 'command' in program && program.mark !== undefined ? straysOf(program.mark) : [];
    return [...new Set([child.pid, ...marked])];
  }

  get names(): string[] {
    return [...this.#described.keys()];
  }

  /** The first description of the process: after a drill changed it, the process returns to this one. */
  descriptionOf(name: string): ProcessDescription | undefined {
    return this.#described.get(name);
  }

  /**
   * Starts a process and waits until it is ready. A description other than the first applies until the process ends.
   */
  async start(description: ProcessDescription): Promise<void> {
    const { name } = description;
    if (!this.#described.has(name)) this.#described.set(name, description);
    if (this.#closing) return;
    const lines: string[] = [];
    const child = launch(description, (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      if (process.env.FIREDRILL_DEBUG !== undefined) this.#say(`${name}: ${line}`);
    });
    this.#running.set(name, child);
    if (child.pid > 0) this.onStart({ name, pid: child.pid, group: isForeign(description) });
    void child.exited.then((code) => {
      if (this.#running.get(name) === child) this.#running.delete(name);
      if (this.#closing || this.#expected.delete(name)) return;
      const words = lastWords(lines);
      const detail = `ended with ${code ?? child.process.signalCode}${words === '' ? '' : `: ${words}`}`;
      this.#record(name, 'exited', detail);
      this.#say(`${name} ${detail}`);
      this.#restart(description);
    });
    const timer = isForeign(description)
      ? undefined
      : setTimeout(() => child.process.kill('SIGKILL'), startLimitMs);
    try {
      this.#ready.set(name, await child.ready);
    } finally {
      clearTimeout(timer);
    }
    this.#record(name, 'started');
  }

  /** Restarts repeatedly like an orchestrator, even if the process does not come up. */
  #restart(description: ProcessDescription): void {
    const { name, restartAfterMs } = description;
    if (restartAfterMs === undefined) return;
    const timer = setTimeout(() => {
      this.#restarts.delete(name);
      this.startAgain(name).catch((error: unknown) => this.#say(messageOf(error)));
    }, restartAfterMs);
    this.#restarts.set(name, timer);
  }

  /** Starts the process by its first description. */
  async startAgain(name: string): Promise<void> {
    const description = this.#described.get(name);
    if (!description) throw new Error(`no process ${name}`);
    if (!this.#running.has(name)) await this.start(description);
  }

  /** Asks the process to end (it drains), and waits. */
  async stop(name: string): Promise<void> {
    const child = this.#running.get(name);
    if (!child) return;
    this.#expected.add(name);
    await child.stop();
    this.#record(name, 'stopped');
  }

  /** SIGKILL: no drain, no goodbye. Resolves to whether the process existed. */
  async kill(name: string): Promise<boolean> {
    clearTimeout(this.#restarts.get(name));
    const child = this.#running.get(name);
    if (!child) return false;
    this.#expected.add(name);
    this.#signal(name, 'SIGKILL');
    await child.exited;
    this.#record(name, 'killed');
    return true;
  }

  /** SIGSTOP: the process answers nothing, and keeps its connections. Returns whether the process existed. */
  pause(name: string): boolean {
    if (!this.#signal(name, 'SIGSTOP')) return false;
    this.#record(name, 'paused');
    return true;
  }

  /** Whether a paused process is still paused; undefined if the kernel cannot be asked. */
  isPaused(name: string): boolean | undefined {
    const states = this.pidsOf(name).flatMap((pid) => stateOf(pid) ?? []);
    return states.length === 0 ? undefined : states.some((state) => 'Tt'.includes(state));
  }

  /** The address of the service's port where something answers, whoever it is; undefined: nothing does. */
  async answeredAt(name: string): Promise<string | undefined> {
    const program = this.#described.get(name)?.program;
    if (!program || !('command' in program) || program.ready.kind === 'log') return undefined;
    const { host = loopback, port } = program.ready;
    return (await probe({ kind: 'tcp', host, port })) ? `${host}:${port}` : undefined;
  }

  /** Resumes a paused process. */
  resume(name: string): void {
    if (this.#signal(name, 'SIGCONT')) this.#record(name, 'continued');
  }

  #signal(name: string, signal: NodeJS.Signals): boolean {
    const child = this.#running.get(name);
    const description = this.#described.get(name);
    if (!child || !description) return false;
    const { program } = description;
    if (!('command' in program)) return child.process.kill(signal);
    const struck = signalGroup(child.pid, signal);
    if (program.mark !== undefined) signalStrays(program.mark, signal);
    return struck;
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#restarts.values()) clearTimeout(timer);
    for (const name of this.#running.keys()) this.#signal(name, 'SIGCONT');
    const stops = await Promise.allSettled([...this.#running.values()].map((c) => c.stop(2000)));
    for (const stop of stops) {
      if (stop.status === 'rejected') this.#say(messageOf(stop.reason));
    }
  }

  #record(name: string, event: ProcessEvent['event'], detail?: string): void {
    this.events.push({
      atMs: realClock.nowMs(),
      process: name,
      event,
      ...(detail !== undefined && { detail }),
    });
    if (this.events.length > maxEvents) this.events.shift();
  }
}
