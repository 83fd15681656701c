/**
 * The system under test as the runner sees it: what answers `GET /system` at a supervisor's admin port. The shop of
 * examples/retail is one; anything that answers like it can be drilled.
 */
import { exitCode, messageOf, UserError } from '../../base/errors.js';

export interface WorkloadPorts {
  app: number;
  appAdmin: number;
  inbound: number;
  outbound: number;
  proxyAdmin: number;
}

export interface WorkloadDescription {
  /** `catalog-2`: also the name of its service process. */
  name: string;
  service: string;
  identity: string;
  calls: readonly string[];
  /** Name of its sidecar's process. */
  proxy: string;
  ports: WorkloadPorts;
}

export interface SystemDescription {
  name: string;
  /** Whether all of it is up; its ports are known before. */
  ready: boolean;
  trustDomain: string;
  namespace: string;
  certificateLifetimeMs: number;
  /** Where a client's requests go. */
  url: string;
  controller: { process: string; grpc: number; admin: number };
  workloads: WorkloadDescription[];
  processes: { name: string; kind: string; pid: number; ports: Record<string, number> }[];
}

export interface ProcessEvent {
  atMs: number;
  process: string;
  event: 'started' | 'stopped' | 'killed' | 'exited';
  detail?: string;
}

/** JSON from or to one of the admin ports; a refusal or a silence is an error that names the address. */
export async function askJson<T>(
  url: string,
  options: { method?: string; body?: unknown; timeoutMs?: number } = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: options.method ?? 'GET',
      signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
    throw new Unreachable(`${url} does not answer: ${cause}`);
  }
  const text = await response.text();
  if (!response.ok) {
    throw new UserError(
      `${options.method ?? 'GET'} ${url} answered ${response.status}: ${text.trim().slice(0, 300)}`,
      exitCode.environment,
    );
  }
  return JSON.parse(text) as T;
}

/** Nobody listens there (any more). */
export class Unreachable extends UserError {
  constructor(message: string) {
    super(message, exitCode.environment);
  }
}

export class System {
  readonly admin: string;
  description: SystemDescription;

  private constructor(admin: string, description: SystemDescription) {
    this.admin = admin;
    this.description = description;
  }

  static async at(admin: string): Promise<System> {
    return new System(admin, await askJson<SystemDescription>(`${admin}/system`));
  }

  /** Processes come and go: their numbers are asked for anew. */
  async refresh(): Promise<void> {
    this.description = await askJson<SystemDescription>(`${this.admin}/system`);
  }

  get controllerAdmin(): string {
    return `http://127.0.0.1:${this.description.controller.admin}`;
  }

  /** All workloads of a service, or the workload of that name. */
  workloads(name: string): WorkloadDescription[] {
    return this.description.workloads.filter((w) => w.name === name || w.service === name);
  }

  proxyAdmin(workload: WorkloadDescription): string {
    return `http://127.0.0.1:${workload.ports.proxyAdmin}`;
  }

  appAdmin(workload: WorkloadDescription): string {
    return `http://127.0.0.1:${workload.ports.appAdmin}`;
  }

  /** Every address that takes faults: where a residue would be. */
  injectionPoints(): { name: string; url: string }[] {
    return [
      { name: 'supervisor', url: this.admin },
      { name: this.description.controller.process, url: this.controllerAdmin },
      ...this.description.workloads.flatMap((w) => [
        { name: w.proxy, url: this.proxyAdmin(w) },
        { name: w.name, url: this.appAdmin(w) },
      ]),
    ];
  }

  /** The counters of a service, all its workloads together. */
  async counters(service: string): Promise<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const workload of this.workloads(service)) {
      const { counters } = await askJson<{ counters: Record<string, number> }>(
        `${this.appAdmin(workload)}/state`,
      );
      for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value;
    }
    return sum;
  }
}
