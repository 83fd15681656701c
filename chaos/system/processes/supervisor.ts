/** Starts a `system: processes`: a controller if the mesh uses mTLS, sidecars, relays, and then the services. */
import { rmSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { makeFolder } from '../../../base/make-folder.js';
import type { Child } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { program } from '../../../base/paths.js';
import { freePorts } from '../../../base/ports.js';
import { writeFileWhole } from '../../../base/write-file.js';
import { createJoinToken } from '../../../mesh/identity/join-tokens.js';
import { ensurePki, pkiFiles } from '../../../mesh/identity/pki-files.js';
import { proxyEnvironment, proxyNodeFlags } from '../../../mesh/proxy/launch.js';
import { inMountNamespace } from '../../faults/disk.js';
import { argvOf } from '../../faults/run-command.js';
import type { Drill } from '../drill-file.js';
import type { ProcessesSpec } from '../drill-schema.js';
import { certificateLinesIn } from '../events.js';
import { fillTemplate } from '../templates.js';
import type { Readiness } from './foreign.js';
import {
  firstPort,
  hasNetworks,
  hostOf,
  type Layout,
  layOut,
  networkProcess,
  type WorkloadLayout,
} from './layout.js';
import { controllerConfig, proxyConfig, registry, trustDomain } from './mesh-files.js';
import {
  checkGateway,
  inNetwork,
  nameFiles,
  planNetworks,
  removeLinks,
  startNetwork,
} from './network.js';
import { prepare } from './prepare.js';
import { type ProcessDescription, Processes } from './processes.js';
import { Resolver } from './resolver.js';
import { writeRegistryFile } from './registry-file.js';
import type { RegistrySettings } from './registry-fault.js';
import { signalStrays, strayMark } from './strays.js';

export interface SupervisorOptions {
  drill: Drill;
  spec: ProcessesSpec;
  /** The folder of keys, configurations and the services' data. */
  folder: string;
  certificateLifetimeMs: number;
  say(line: string): void;
}

const tokenTtlMs = 7 * 86_400_000;
const tokenUses = 1000;

export class Supervisor {
  readonly options: SupervisorOptions;
  layout: Layout;
  readonly processes: Processes;
  /** The process that holds a workload's network, for workloads with their own. */
  readonly #networks = new Map<string, Child>();
  /** For those, the files that stand in place of the machine's: by the latter's path. */
  readonly #nameFiles = new Map<string, Readonly<Record<string, string>>>();
  /** By workload with its own network. */
  readonly resolvers: ReadonlyMap<string, Resolver>;
  ready = false;
  failure: string | undefined;
  #revision = 0;
  /** A drill's settings beside the file's. */
  #set: RegistrySettings = {};

  private constructor(options: SupervisorOptions, layout: Layout) {
    this.options = options;
    this.layout = layout;
    this.processes = new Processes(options.say);
    this.resolvers = new Map(
      layout.workloads.flatMap(({ name, network }) => {
        if (!network) return [];
        const { names, address } = network;
        return [[name, new Resolver({ names, client: address, clock: realClock })]];
      }),
    );
  }

  /** Knows its ports; nothing runs yet. */
  static async plan(options: SupervisorOptions): Promise<Supervisor> {
    // More than enough: each service has a few, each call one or two.
    const { spec, drill } = options;
    const count = Object.values(spec.services).reduce(
      (sum, s) =>
        sum + s.replicas * (5 + Object.keys(s.ports).length + 2 * Object.keys(s.calls).length),
      4,
    );
    const free = await freePorts(count);
    return new Supervisor(
      options,
      layOut(
        drill.name,
        spec,
        () => free.pop() as number,
        hasNetworks(spec) ? planNetworks() : undefined,
      ),
    );
  }

  path(...parts: string[]): string {
    return resolve(this.options.folder, ...parts);
  }

  /** The folder of each process with its own disk. */
  get disks(): Map<string, string> {
    const own = this.layout.workloads.filter(({ spec }) => spec.disk !== undefined);
    return new Map(own.map(({ name }) => [name, this.path('data', name)]));
  }

  /** Resolves when every process is ready. */
  async start(): Promise<void> {
    const { spec, drill, say } = this.options;
    await prepare(spec.prepare, drill.folder, say, (started) => this.processes.onStart(started));
    await this.#startNetworks();
    const around: ProcessDescription[] = [];
    if (this.layout.controller) {
      await ensurePki(this.path('pki'), { trustDomain });
      this.#writeRegistry();
      const config = controllerConfig(this.layout, this.options.certificateLifetimeMs);
      writeFileWhole(this.path('controller.yaml'), JSON.stringify(config, undefined, 2));
      around.push(this.#controller());
    }
    for (const workload of this.layout.workloads) {
      makeFolder(this.path('data', workload.name), 0o700);
      if (workload.sidecar) around.push(this.#sidecar(workload));
    }
    around.push(...this.#relays());
    await all(around.map((description) => this.processes.start(description)));
    await this.#checkGateway();
    for (const wave of wavesOf(this.layout.workloads)) {
      await all(wave.map((workload) => this.processes.start(this.#service(workload))));
    }
    this.ready = true;
  }

  /** One network represents all: they do not differ in any property that a firewall checks. */
  async #checkGateway(): Promise<void> {
    const caller = this.layout.workloads.find((w) => w.network && w.calls.length > 0);
    const holder = caller && this.#networks.get(caller.name);
    const [call] = caller?.calls ?? [];
    if (caller?.network && holder && call)
      await checkGateway(holder.pid, caller.network, call.port);
  }

  async close(): Promise<void> {
    await this.processes.close();
    signalStrays(this.options.folder, 'SIGKILL');
    for (const resolver of this.resolvers.values()) resolver.close();
    await Promise.all([...this.#networks.values()].map((holder) => holder.stop()));
    removeLinks([process.pid]);
  }

  /**
   * Publishes new configuration for the sidecars, even if only its revision changes; without a controller, no sidecar
   * receives it.
   */
  publish(): number {
    if (!this.layout.controller) throw new Error('there is no controller to publish to');
    this.#revision++;
    this.#writeRegistry();
    return this.#revision;
  }

  /** Returns whether it differs from before. */
  rewriteRegistry(set: RegistrySettings): boolean {
    this.#set = set;
    return this.#writeRegistry();
  }

  async renewCertificates(): Promise<void> {
    for (const { name, sidecar } of this.layout.workloads) {
      if (!sidecar) continue;
      await this.processes.stop(sidecar.name);
      rmSync(this.path(`cache-${name}`, 'stream-identity.json'), { force: true });
      await this.processes.startAgain(sidecar.name);
    }
  }

  certificateEvents = (): unknown[] => certificateLinesIn(this.path('events.jsonl'));

  #writeRegistry(): boolean {
    return writeRegistryFile(this.options.folder, registry(this.layout, this.#revision, this.#set));
  }

  #controller(): ProcessDescription {
    return {
      name: 'controller',
      kind: 'controller',
      workload: 'controller',
      program: {
        script: program('mesh/controller/main'),
        args: ['--config', this.path('controller.yaml')],
      },
    };
  }

  #sidecar(workload: WorkloadLayout): ProcessDescription {
    const file = this.path(`${workload.name}.proxy.json`);
    const name = workload.sidecar?.name as string;
    if (this.layout.controller) {
      makeFolder(this.path('tokens'), 0o700);
      const attestation = { serviceAccount: workload.service, namespace: this.layout.name };
      const limits = { ttlMs: tokenTtlMs, uses: tokenUses };
      const token = createJoinToken(this.path('tokens'), attestation, limits);
      writeFileSync(this.path(`${workload.name}.token`), token, { mode: 0o600 });
    }
    const config = proxyConfig(this.layout, workload, {
      path: (part) => this.path(part),
      trustAnchors: pkiFiles(this.path('pki')).trustAnchorsFile,
      fill: (text) => fillTemplate(text, this.#valuesOf(workload)),
      inDrill: (file) => resolve(this.options.drill.folder, file),
    });
    writeFileWhole(file, JSON.stringify(config, undefined, 2));
    return {
      name,
      kind: 'proxy',
      workload: workload.name,
      program: {
        script: program('mesh/proxy/main'),
        args: ['--config', file],
        nodeFlags: proxyNodeFlags,
        env: { ...proxyEnvironment },
      },
    };
  }

  #relays(): ProcessDescription[] {
    return this.layout.relays.map((relay) => ({
      name: relay.process,
      kind: 'relay',
      workload: relay.name,
      program: {
        script: program('chaos/relay/main'),
        args: [`${relay.host}:${relay.port}`, `127.0.0.1:${relay.admin}`, ...relay.upstreams],
      },
    }));
  }

  #service(workload: WorkloadLayout): ProcessDescription {
    const { drill } = this.options;
    const { spec } = workload;
    const values = this.#valuesOf(workload);
    const fill = (text: string): string => fillTemplate(text, values);
    return {
      name: workload.name,
      kind: 'service',
      workload: workload.name,
      ...(spec.restart !== undefined && { restartAfterMs: spec.restart }),
      program: {
        command: this.#commandOf(workload, fill),
        cwd: resolve(drill.folder, spec.folder),
        env: Object.fromEntries(
          Object.entries(spec.env).map(([key, value]) => [key, fill(String(value))]),
        ),
        mark: strayMark(this.options.folder, workload.name),
        ready: readinessOf(workload),
        readyLimitMs: spec.ready?.within ?? 30_000,
        stop: { signal: spec.stop.signal, withinMs: spec.stop.within },
      },
    };
  }

  /** The service alone sees its own disk and its own files of names. */
  #commandOf(workload: WorkloadLayout, fill: (text: string) => string): string | string[] {
    const { name, spec, network } = workload;
    const { command, disk } = spec;
    const own = typeof command === 'string' ? fill(command) : command.map(fill);
    if (disk === undefined && !network) return own;
    const mounted = inMountNamespace(argvOf(own), {
      ...(disk !== undefined && { disk: { folder: this.path('data', name), bytes: disk } }),
      ...(network && { files: this.#nameFiles.get(name) ?? {} }),
    });
    const holder = this.#networks.get(name);
    return holder ? [...inNetwork(holder.pid), ...mounted] : mounted;
  }

  /** Comes first: sidecars and relays listen at their gateway. */
  async #startNetworks(): Promise<void> {
    for (const { name, network } of this.layout.workloads) {
      if (!network) continue;
      const own: Record<string, string> = {};
      for (const [file, text] of nameFiles(network)) {
        own[file] = this.path(`${name}.${basename(file)}`);
        writeFileSync(own[file], text, { mode: 0o644 });
      }
      this.#nameFiles.set(name, own);
      const process = networkProcess(name);
      const holder = await startNetwork(process, network, ({ pid }) => {
        this.processes.onStart({ name: process, pid, group: true });
      });
      this.#networks.set(name, holder);
      await this.resolvers.get(name)?.listen(network.gateway, network.resolver);
    }
  }

  #valuesOf(workload: WorkloadLayout): Map<string, string> {
    const values = new Map([
      ['replica', String(workload.replica)],
      ['data', this.path('data', workload.name)],
      ['folder', this.options.drill.folder],
    ]);
    for (const [name, port] of Object.entries(workload.ports)) {
      values.set(`ports.${name}`, String(port));
    }
    for (const other of this.layout.workloads.toReversed()) {
      for (const [name, port] of Object.entries(other.ports)) {
        values.set(`services.${other.service}.${name}`, String(port));
      }
    }
    for (const { name, host, port, protocol } of workload.calls) {
      const scheme = protocol === 'tcp' ? 'tcp' : 'http';
      values.set(`calls.${name}.url`, `${scheme}://${host}:${port}`);
      values.set(`calls.${name}.host`, host);
      values.set(`calls.${name}.port`, String(port));
    }
    return values;
  }
}

function readinessOf(workload: WorkloadLayout): Readiness {
  const { spec, ports } = workload;
  const { ready } = spec;
  const host = hostOf(workload);
  const first = ports[firstPort(spec)] as number;
  if (ready?.log !== undefined) return { kind: 'log', pattern: new RegExp(ready.log) };
  if (ready?.http !== undefined) {
    const port = ready.port === undefined ? first : (ports[ready.port] as number);
    return { kind: 'http', host, port, path: ready.http };
  }
  const port = ready?.tcp === undefined ? first : (ports[ready.tcp] as number);
  return { kind: 'tcp', host, port };
}

/** A callee starts before its callers; services that call each other start together, at the end. */
function wavesOf(workloads: readonly WorkloadLayout[]): WorkloadLayout[][] {
  const waves: WorkloadLayout[][] = [];
  const services = new Set(workloads.map((w) => w.service));
  let left = [...workloads];
  while (left.length > 0) {
    const waiting = new Set(left.map((w) => w.service));
    const free = left.filter((w) =>
      w.calls.every((c) => !services.has(c.to) || c.to === w.service || !waiting.has(c.to)),
    );
    const wave = free.length > 0 ? free : left;
    waves.push(wave);
    left = left.filter((w) => !wave.includes(w));
  }
  return waves;
}

/** Waits for all, and rejects with the first failure. */
async function all(starts: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(starts);
  const failed = results.find((r) => r.status === 'rejected');
  if (failed) throw new Error(messageOf(failed.reason));
}
