/** Starts a game day for the console's viewers: `firedrill gameday run` as a process of its own, one at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../base/clock.js';
import { eachLine } from '../base/lines.js';
import { program } from '../base/paths.js';
import { eventFileName } from '../chaos/gameday/event-file.js';

export interface LaunchOptions {
  /** Absent: the firedrill.yaml of the working folder. */
  drill?: string;
  /** The folder of the report, from which the console reads the events. */
  folder: string;
  stateFolder: string;
  /** Called with each line that the run prints. */
  onLine(line: string): void;
}

export interface Asked {
  /** Ids of scenarios; empty: all of the drill. */
  scenarios: readonly string[];
  /** The drill's name, if its guard requires that. */
  confirm?: string;
}

const lineMax = 500;
const keptLines = 20;
const pollMs = 100;
const endLimitMs = 60_000;

export class Launch {
  readonly #options: LaunchOptions;
  #run: ChildProcess | undefined;

  constructor(options: LaunchOptions) {
    this.#options = options;
  }

  /** Resolves to undefined when the run has begun, otherwise to the reason why there is none. */
  async start({ scenarios, confirm }: Asked): Promise<string | undefined> {
    if (this.#run) return 'a drill that was started here is under way';
    // A path would let a viewer of the page name any file of this machine.
    const bad = scenarios.find((id) => !/^[\w-]+$/.test(id));
    if (bad !== undefined) return `${bad.slice(0, 100)} is not the id of a scenario`;
    const { drill, folder, stateFolder, onLine } = this.#options;
    const args = ['gameday', 'run', `--out=${folder}`, `--state=${stateFolder}`];
    if (drill !== undefined) args.push(`--drill=${drill}`);
    if (scenarios.length > 0) args.push(`--scenarios=${scenarios.join(',')}`);
    if (confirm !== undefined) args.push(`--confirm=${confirm}`);
    const before = this.#eventsMs();
    const run = spawn(process.execPath, [program('cli'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#run = run;
    const said: string[] = [];
    if (run.stderr) {
      eachLine(run.stderr, lineMax, (line) => {
        said.push(line);
        if (said.length > keptLines) said.shift();
        onLine(line);
      });
    }
    const forget = (): void => void (this.#run = undefined);
    run.once('close', forget);
    run.once('error', (error) => {
      said.push(error.message);
      forget();
    });
    while (this.#run && this.#eventsMs() === before) await sleep(pollMs);
    return this.#eventsMs() === before ? said.join('\n') : undefined;
  }

  /** Ends the run as Ctrl-C does, and waits until it has rolled back. */
  async close(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    // The wait ends with the run: a timer that is left would hold the console.
    const ended = new AbortController();
    run.once('close', () => ended.abort());
    run.kill('SIGTERM');
    await sleep(endLimitMs, ended.signal);
  }

  /** The time of the last event; undefined if there is none. */
  #eventsMs(): number | undefined {
    return statSync(join(this.#options.folder, eventFileName), { throwIfNoEntry: false })?.mtimeMs;
  }
}
