/** The registry file as a source: watched, loaded whole; the last good version is kept. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Clock, realClock, type Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { type CompiledRegistry, compileRegistry } from '../registry/compile.js';
import { DnsEndpoints, type Resolver } from './dns.js';
import type { DiscoverySink, DiscoverySource } from './source.js';

export interface FileSourceOptions {
  path: string;
  trustDomain: string;
  clock?: Clock;
  resolver?: Resolver;
  /** The file is also polled at this interval, since some file systems give no change notices. */
  pollMs?: number;
}

export class FileSource implements DiscoverySource {
  readonly name: string;
  readonly #options: FileSourceOptions;
  readonly #clock: Clock;
  readonly #dns: DnsEndpoints;
  #sink: DiscoverySink | undefined;
  #watcher: FSWatcher | undefined;
  #poll: Timer | undefined;
  #settle: Timer | undefined;
  #text: string | undefined;
  #compiled: CompiledRegistry | undefined;
  #fileProblem: string | undefined;

  constructor(options: FileSourceOptions) {
    this.name = `file:${options.path}`;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#dns = new DnsEndpoints({
      clock: this.#clock,
      ...(options.resolver && { resolver: options.resolver }),
      onChange: () => this.#publish(),
    });
  }

  /**
   * Resolves also when the file is missing or broken: the error is reported, and the file may be corrected later. Until
   * then nothing is reported: an empty report would take from every proxy what it knows.
   */
  async start(sink: DiscoverySink): Promise<void> {
    this.#sink = sink;
    this.#read();
    await this.#dns.settled(2000);
    try {
      // The folder is watched, not the file, so that a rename over the file is seen.
      this.#watcher = watch(dirname(this.#options.path), (_event, name) => {
        if (name !== null && name !== basename(this.#options.path)) return;
        // Writers that do not rename get a moment to finish.
        this.#settle ??= this.#clock.after(20, () => {
          this.#settle = undefined;
          this.#read();
        });
      });
      this.#watcher.on('error', () => this.#watcher?.close());
      this.#watcher.unref();
    } catch {
      // Watching is not available here: the poll finds changes.
    }
    this.#poll = this.#clock.every(this.#options.pollMs ?? 1000, () => this.#read());
  }

  stop(): Promise<void> {
    this.#watcher?.close();
    this.#poll?.cancel();
    this.#settle?.cancel();
    this.#dns.stop();
    return Promise.resolve();
  }

  #read(): void {
    const { path, trustDomain } = this.#options;
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      // The file is being replaced, or is gone: in both cases the last good version stays in use.
      this.#text = undefined;
      return this.#report(`${path}: ${messageOf(error)}`);
    }
    if (text === this.#text) return;
    this.#text = text;
    try {
      this.#compiled = compileRegistry(path, text, trustDomain, this.#compiled?.known);
    } catch (error) {
      return this.#report(messageOf(error));
    }
    this.#dns.follow(this.#compiled.dns);
    this.#report(undefined);
    this.#publish();
  }

  #publish(): void {
    const compiled = this.#compiled;
    if (!compiled) return;
    this.#sink?.replace(this.#dns.fill(compiled.snapshot));
    this.#compiled = reported(compiled);
    this.#tell();
  }

  #report(problem: string | undefined): void {
    if (problem === this.#fileProblem) return;
    this.#fileProblem = problem;
    this.#tell();
  }

  #tell(): void {
    const problems = [...(this.#fileProblem ? [this.#fileProblem] : []), ...this.#dns.problems()];
    this.#sink?.problems(problems);
  }
}

/** Keeps the destinations that DNS may change, and only the names of the others: the catalogue has them. */
function reported(compiled: CompiledRegistry): CompiledRegistry {
  const followed = new Set(compiled.dns.map((b) => b.destination));
  const { destinations, unchanged = [] } = compiled.snapshot;
  const rest = destinations.filter((d) => !followed.has(d.name)).map((d) => d.name);
  if (rest.length === 0) return compiled;
  return {
    ...compiled,
    snapshot: {
      ...compiled.snapshot,
      destinations: destinations.filter((d) => followed.has(d.name)),
      unchanged: [...unchanged, ...rest],
    },
  };
}
