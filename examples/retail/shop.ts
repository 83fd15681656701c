/** Starts the whole shop: a controller, and for each workload its service and its sidecar; all on free ports. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { formatDurationMs } from '../../base/duration.js';
import { messageOf } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { writeFileWhole } from '../../base/write-file.js';
import { certificateLinesIn } from '../../chaos/system/events.js';
import { registryPath, writeRegistryFile } from '../../chaos/system/processes/registry-file.js';
import { createJoinToken } from '../../mesh/identity/join-tokens.js';
import { identityName } from '../../mesh/identity/names.js';
import { ensurePki, pkiFiles } from '../../mesh/identity/pki-files.js';
import type { ProxyConfig } from '../../mesh/model.js';
import {
  type OwnProgram,
  type ProcessDescription,
  Processes,
} from '../../chaos/system/processes/processes.js';
import { asVersion } from './package-version.js';
import { registry, type RegistryOptions } from './registry.js';
import type { ServiceOptions } from './service-main.js';
import {
  choosePorts,
  identityOf,
  namespace,
  type Ports,
  trustDomain,
  type Workload,
  workloads,
} from './topology.js';

export interface ShopOptions {
  /** The folder of keys, configurations and caches. */
  folder: string;
  certificateLifetimeMs: number;
  say(line: string): void;
}

export const controllerIdentity = identityName({
  serviceAccount: 'controller',
  namespace: 'firedrill',
  trustDomain,
});

const tokenTtlMs = 7 * 86_400_000;
/** A proxy rejoins with its token after its certificate has expired, and a drill causes this often. */
const tokenUses = 1000;

interface ShopProcess extends ProcessDescription {
  program: OwnProgram;
}

export const proxyName = (workload: string): string => `${workload}-proxy`;

export class Shop {
  /** The ports are chosen at the beginning, and again if one was taken. */
  ports: Ports;
  processes: Processes;
  /** Whether every process is up. */
  ready = false;
  readonly registryOptions: RegistryOptions = { retries: 'budget', revision: 0 };
  readonly #options: ShopOptions;

  private constructor(options: ShopOptions, ports: Ports) {
    this.#options = options;
    this.ports = ports;
    this.processes = new Processes(options.say);
  }

  /** Chooses the ports; no process runs yet. */
  static async plan(options: ShopOptions): Promise<Shop> {
    return new Shop(options, await choosePorts());
  }

  /** Resolves when every process is ready and every sidecar has its state. If a port was taken, others are chosen. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#startAll();
        this.ready = true;
        return;
      } catch (error) {
        await this.close();
        if (attempt >= 3 || !messageOf(error).includes('EADDRINUSE')) throw error;
        this.#options.say(`${messageOf(error)}: other ports are chosen`);
        this.ports = await choosePorts();
        // With their caches the sidecars would use the previous ports.
        rmSync(this.path('cache'), { recursive: true, force: true });
        this.processes = new Processes(this.#options.say);
      }
    }
  }

  path(...parts: string[]): string {
    return join(this.#options.folder, ...parts);
  }

  get certificateLifetimeMs(): number {
    return this.#options.certificateLifetimeMs;
  }

  get eventsFile(): string {
    return this.path('events.jsonl');
  }

  async #startAll(): Promise<void> {
    makeFolder(this.path('cache'), 0o700);
    await ensurePki(this.path('pki'), { trustDomain });
    this.writeRegistry();
    this.#writeControllerConfig();
    const starts = [this.processes.start(this.#controller())];
    for (const workload of workloads) {
      this.#writeProxyConfig(workload);
      starts.push(this.processes.start(this.#service(workload)));
      starts.push(this.processes.start(this.#proxy(workload)));
    }
    const results = await Promise.allSettled(starts);
    const failed = results.find((r) => r.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Returns whether it differs from before. */
  writeRegistry(): boolean {
    return writeRegistryFile(this.path(), registry(this.ports, this.registryOptions));
  }

  /** Restarts the sidecars one by one without their certificates, so that each gets a new one. */
  async renewCertificates(): Promise<void> {
    for (const { name } of workloads) {
      await this.processes.stop(proxyName(name));
      rmSync(this.path('cache', name, 'stream-identity.json'), { force: true });
      await this.processes.startAgain(proxyName(name));
    }
  }

  /** Restarts the process as that version of the package; undefined: as its own version. */
  async restartAs(name: string, version: string | undefined): Promise<void> {
    const own = this.processes.descriptionOf(name) as ShopProcess | undefined;
    if (!own) throw new Error(`no process ${name}`);
    await this.processes.stop(name);
    await this.processes.start(
      version === undefined
        ? own
        : { ...own, program: asVersion(own.program, version, this.path('versions', version)) },
    );
  }

  async close(): Promise<void> {
    await this.processes.close();
  }

  #writeControllerConfig(): void {
    const config = {
      trustDomain,
      listen: { host: '127.0.0.1', port: this.ports.controller },
      admin: { host: '127.0.0.1', port: this.ports.controllerAdmin },
      identity: {
        issuer: { kind: 'files', folder: 'pki' },
        certificateLifetime: formatDurationMs(this.certificateLifetimeMs),
        clockSkew: '2s',
        joinTokens: { folder: 'tokens' },
      },
      discovery: [{ kind: 'file', path: registryPath }],
      events: { file: 'events.jsonl' },
    };
    writeFileWhole(this.path('controller.yaml'), JSON.stringify(config, undefined, 2));
  }

  #writeProxyConfig(workload: Workload): void {
    const ports = this.ports.workloads[workload.name]!;
    const tokenFile = this.path(`${workload.name}.token`);
    const attestation = { serviceAccount: workload.service, namespace };
    const limits = { ttlMs: tokenTtlMs, uses: tokenUses };
    const token = createJoinToken(this.path('tokens'), attestation, limits);
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const config: ProxyConfig = {
      workload: {
        name: workload.name,
        namespace,
        service: workload.service,
        labels: { app: workload.service },
      },
      inbound: { host: '127.0.0.1', port: ports.inbound, mode: 'explicit' },
      outbound: { host: '127.0.0.1', port: ports.outbound, mode: 'explicit' },
      admin: { host: '127.0.0.1', port: ports.proxyAdmin },
      identity: {
        name: identityOf(workload.service),
        trustAnchorsFile: pkiFiles(this.path('pki')).trustAnchorsFile,
      },
      controller: {
        addresses: [`127.0.0.1:${this.ports.controller}`],
        identity: controllerIdentity,
        tokenFile,
        subscribe: [`*.${namespace}`],
      },
      cacheFolder: this.path('cache', workload.name),
      drainSeconds: 1,
    };
    writeFileWhole(this.path(`${workload.name}.proxy.json`), JSON.stringify(config, undefined, 2));
  }

  #controller(): ShopProcess {
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

  #service(workload: Workload): ShopProcess {
    const ports = this.ports.workloads[workload.name]!;
    const options: ServiceOptions = {
      service: workload.service,
      namespace,
      port: ports.app,
      adminPort: ports.appAdmin,
      outbound: `127.0.0.1:${ports.outbound}`,
    };
    return {
      name: workload.name,
      kind: 'service',
      workload: workload.name,
      program: {
        script: program('examples/retail/service-main'),
        args: [JSON.stringify(options)],
        nodeFlags: ['--max-old-space-size=128'],
      },
    };
  }

  #proxy(workload: Workload): ShopProcess {
    return {
      name: proxyName(workload.name),
      kind: 'proxy',
      workload: workload.name,
      program: {
        script: program('mesh/proxy/main'),
        args: ['--config', this.path(`${workload.name}.proxy.json`)],
      },
    };
  }

  /** The lines of the certificate events so far. */
  certificateEvents = (): unknown[] => certificateLinesIn(this.eventsFile);
}
