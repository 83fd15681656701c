/** A drill's system as a child of the game day: the system and all its processes end when the game day ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startProgram } from '../../base/child.js';
import { realClock, sleep } from '../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import type { Journal } from '../runner/journal.js';
import { endLeftovers } from '../runner/leftovers.js';
import type { Drill } from './drill-file.js';
import type { System } from './model.js';
import { SupervisedSystem } from './supervised.js';
import { removeLinks } from './processes/network.js';
import { signalStrays } from './processes/strays.js';
import { supervisorCommand } from './supervisor-command.js';

export interface RunningSystem {
  system: System;
  /** The folder of its keys, configurations and events. */
  folder: string;
  /** Resolves when all of it is up. */
  ready: Promise<void>;
  /** The reason why the system ended although nobody stopped it. */
  gone(): string | undefined;
  stop(): Promise<void>;
}

const readyLimitMs = 60_000;
const prepareLimitMs = 600_000;
const noticeMs = 1500;

/** Resolves when its ports are known, before it is up. */
export async function startSystem(
  drill: Drill,
  options: {
    journal: Journal;
    /** The lifetime of the workloads' certificates, if there are any. */
    certificateLifetimeMs: number;
    say(line: string): void;
  },
): Promise<RunningSystem> {
  const { journal } = options;
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-system-'));
  journal.folder(folder);
  const child = startSupervisor(drill, folder, options);
  // A system that runs already has nothing that supervises it.
  const isOwn = ['processes', 'supervisor'].includes(drill.system.kind);
  const holder = `the ${isOwn ? 'supervisor' : 'watcher'} of ${drill.name}`;
  journal.process(child.pid, holder);
  let stopping = false;
  let ended = false;
  const gone = (): string | undefined =>
    ended && !stopping ? `${holder} ended by itself` : undefined;
  // The system's processes notice the end by themselves; those that cannot (stopped, or hanging) are ended from here.
  void child.exited.then(async () => {
    ended = true;
    if (stopping) return;
    await sleep(noticeMs);
    if (!stopping) await endLeftovers(journal.processes, 1000);
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    await child.stop(8000);
    await endLeftovers(journal.processes, 1000);
    signalStrays(folder, 'SIGKILL');
    removeLinks([child.pid]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { admin } = await child.ready;
    const system = await SupervisedSystem.at(`http://127.0.0.1:${String(admin)}`);
    const ready = untilReady(drill, child, system);
    ready.catch(() => undefined);
    return { system, folder, ready, gone, stop };
  } catch (error) {
    await stop();
    if (error instanceof UserError) throw error;
    throw new UserError(messageOf(error), exitCode.environment);
  }
}

function startSupervisor(
  drill: Drill,
  folder: string,
  options: { journal: Journal; certificateLifetimeMs: number; say(line: string): void },
): Child {
  const { program, args } = supervisorCommand(drill, { ...options, folder });
  return startProgram(drill.name, program, args, {
    cwd: drill.folder,
    onStderr: options.say,
    onStdout: (line) => {
      const started = processIn(line);
      if (started) options.journal.process(started.pid, started.name, started.group);
    },
  });
}

interface Started {
  name: string;
  pid: number;
  /** The process leads a process group, which its descendants belong to. */
  group: boolean;
}

/** Parses a line that reports a process started by the supervisor. */
function processIn(line: string): Started | undefined {
  try {
    const { process } = JSON.parse(line) as { process?: Partial<Started> };
    if (typeof process?.pid !== 'number' || typeof process.name !== 'string') return undefined;
    return { name: process.name, pid: process.pid, group: process.group === true };
  } catch {
    return undefined;
  }
}

/** The supervisor's steps have their own limits from the user; this limit is for a supervisor that hangs. */
function readyLimit({ system }: Drill): number {
  if (system.kind !== 'processes') return readyLimitMs;
  const services = Object.values(system.services);
  const own = services.reduce((sum, { ready }) => sum + (ready?.within ?? 30_000), 0);
  return readyLimitMs + system.prepare.length * prepareLimitMs + own;
}

async function untilReady(drill: Drill, child: Child, system: SupervisedSystem): Promise<void> {
  let ended = false;
  void child.exited.then(() => (ended = true));
  const limitMs = readyLimit(drill);
  const end = realClock.monotonicMs() + limitMs;
  for (;;) {
    if (!ended) await system.refresh().catch(() => undefined);
    const { ready, failure } = system.description;
    if (ready) return;
    if (failure !== undefined || ended || realClock.monotonicMs() > end) {
      const late = `is not up after ${limitMs / 1000} s`;
      const what = failure ?? (ended ? 'ended before it was up' : late);
      throw new UserError(`${drill.name}: ${what}`, exitCode.environment);
    }
    await sleep(50);
  }
}
