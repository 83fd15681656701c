/** A mesh of processes on this machine: one controller, and proxies that join it with tokens. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../base/make-folder.js';
import { type Child, startNode } from '../../base/child.js';
import { program } from '../../base/paths.js';
import { writeFileWhole } from '../../base/write-file.js';
import { createJoinToken } from '../../mesh/identity/join-tokens.js';
import { identityName } from '../../mesh/identity/names.js';
import { ensurePki, pkiFiles } from '../../mesh/identity/pki-files.js';
import type { ProxyConfig } from '../../mesh/model.js';
import { proxyNodeFlags, proxyProgram } from '../../mesh/proxy/launch.js';
import { freePorts } from '../../base/ports.js';

export const namespace = 'demo';

export interface ProxyPlan {
  name: string;
  /** The default is the proxy's name. */
  serviceAccount?: string;
  inbound?: number;
  outbound?: number;
  labels?: Record<string, string>;
  /** The default is a token that the mesh makes for the proxy. */
  tokenFile?: string;
}

export class SmallMesh {
  readonly folder: string;
  readonly trustDomain: string;
  readonly controllerAdmin: string;
  readonly #controllerPort: number;
  readonly #adminPort: number;
  readonly #children: Child[] = [];
  /** The mesh's own trust anchor, PEM. */
  readonly anchor: string;

  private constructor(folder: string, trustDomain: string, ports: readonly number[]) {
    this.folder = folder;
    this.trustDomain = trustDomain;
    [this.#controllerPort, this.#adminPort] = ports as [number, number];
    this.controllerAdmin = `http://127.0.0.1:${this.#adminPort}`;
    this.anchor = readFileSync(this.anchorsFile, 'utf8');
  }

  static async plan(folder: string, trustDomain: string): Promise<SmallMesh> {
    await ensurePki(join(folder, 'pki'), { trustDomain });
    return new SmallMesh(folder, trustDomain, await freePorts(2));
  }

  get anchorsFile(): string {
    return pkiFiles(join(this.folder, 'pki')).trustAnchorsFile;
  }

  identity(serviceAccount: string): string {
    return identityName({ serviceAccount, namespace, trustDomain: this.trustDomain });
  }

  /**
   * Adds another trust domain's anchor to this mesh's bundle, so that its names are accepted; this grants no access.
   */
  trust(other: SmallMesh): void {
    writeFileWhole(this.anchorsFile, `${readFileSync(this.anchorsFile, 'utf8')}${other.anchor}`);
  }

  /** Writes the registry file; a change is applied while everything runs. */
  register(registry: object): void {
    writeFileWhole(join(this.folder, 'registry.yaml'), JSON.stringify(registry, undefined, 2));
  }

  /** Starts the controller; `identity` adds to its configuration, such as the lifetime of certificates. */
  async open(registry: object, identity: object = {}): Promise<void> {
    this.register(registry);
    const config = {
      trustDomain: this.trustDomain,
      listen: { port: this.#controllerPort },
      admin: { port: this.#adminPort },
      identity: {
        issuer: { kind: 'files', folder: 'pki' },
        joinTokens: { folder: 'tokens' },
        ...identity,
      },
      discovery: [{ kind: 'file', path: 'registry.yaml' }],
      events: { file: 'events.jsonl' },
    };
    writeFileSync(this.#controllerFile, JSON.stringify(config, undefined, 2));
    await this.startController();
  }

  get #controllerFile(): string {
    return join(this.folder, 'controller.yaml');
  }

  async startController(): Promise<void> {
    const script = program('mesh/controller/main');
    await this.start('controller', script, ['--config', this.#controllerFile]);
  }

  /** Kills the controller with SIGKILL, so that it ends without notice. */
  async killController(): Promise<void> {
    const child = this.#children.findLast((c) => c.name === 'controller');
    child?.process.kill('SIGKILL');
    await child?.exited;
  }

  /** Starts a program of ours that ends with the mesh; resolves to its first line, printed when it is ready. */
  async start(
    name: string,
    script: string,
    args: readonly string[],
    nodeFlags: readonly string[] = [],
  ): Promise<Record<string, unknown>> {
    const child = startNode(name, script, args, { nodeFlags });
    this.#children.push(child);
    return child.ready;
  }

  /** Starts a proxy that joins with a token; resolves when it is ready, to its admin `host:port`. */
  async proxy(plan: ProxyPlan): Promise<string> {
    const ready = await this.start(plan.name, ...this.proxyCommand(plan));
    return `127.0.0.1:${String(ready.admin)}`;
  }

  proxyCommand(plan: ProxyPlan): [string, string[], readonly string[]] {
    const { name, serviceAccount = name } = plan;
    const listen = (port: number): ProxyConfig['admin'] & { mode: 'explicit' } => ({
      host: '127.0.0.1',
      port,
      mode: 'explicit',
    });
    const config: ProxyConfig = {
      workload: { name, namespace, ...(plan.labels && { labels: plan.labels }) },
      ...(plan.inbound !== undefined && { inbound: listen(plan.inbound) }),
      ...(plan.outbound !== undefined && { outbound: listen(plan.outbound) }),
      admin: { host: '127.0.0.1', port: 0 },
      identity: { name: this.identity(serviceAccount), trustAnchorsFile: this.anchorsFile },
      controller: {
        addresses: [`127.0.0.1:${this.#controllerPort}`],
        identity: identityName({
          serviceAccount: 'controller',
          namespace: 'firedrill',
          trustDomain: this.trustDomain,
        }),
        tokenFile: plan.tokenFile ?? this.#token(name, serviceAccount),
      },
      cacheFolder: join(this.folder, 'cache', name),
      drainSeconds: 1,
    };
    makeFolder(join(this.folder, 'cache'), 0o700);
    const file = join(this.folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(config, undefined, 2));
    return [proxyProgram, ['--config', file], proxyNodeFlags];
  }

  #token(name: string, serviceAccount: string): string {
    const file = join(this.folder, `${name}.token`);
    const token = createJoinToken(
      join(this.folder, 'tokens'),
      { serviceAccount, namespace },
      { ttlMs: 600_000 },
    );
    writeFileSync(file, token, { mode: 0o600 });
    return file;
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.splice(0).map((child) => child.stop(3000)));
  }
}
