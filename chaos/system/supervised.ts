/**
 * A system behind a supervisor: one process that starts all the others, describes them at its admin port
 * (`GET /system`), and holds the faults that no sidecar, relay or service can hold. The shop of the examples is such a
 * system, and so is a `system: processes`; any program with the same answers is another.
 */
import type { Target } from '../../alerts/watch/index.js';
import type { ReportSection, TimelineEvent } from '../../runbooks/record.js';
import { meshJobs } from '../../slo/spec/mesh-metrics.js';
import { askJson } from './ask.js';
import { countersOfSidecar } from './sidecar-counters.js';
import { type CertificateLine, certificateEvents, processEvent } from './events.js';
import type {
  ProcessEvent,
  RelayDescription,
  System,
  SystemDescription,
  WorkloadDescription,
} from './model.js';

const at = (port: number): string => `http://127.0.0.1:${port}`;

export class SupervisedSystem implements System {
  readonly admin: string;
  description: SystemDescription;

  private constructor(admin: string, description: SystemDescription) {
    this.admin = admin;
    this.description = description;
  }

  /** Asks the supervisor at that address. */
  static async at(admin: string): Promise<SupervisedSystem> {
    return new SupervisedSystem(admin, await askJson<SystemDescription>(`${admin}/system`));
  }

  async refresh(): Promise<void> {
    this.description = await askJson<SystemDescription>(`${this.admin}/system`);
  }

  get controllerAdmin(): string | undefined {
    const { controller } = this.description;
    return controller && at(controller.admin);
  }

  workloads(name: string): WorkloadDescription[] {
    return this.description.workloads.filter((w) => w.name === name || w.service === name);
  }

  proxyAdmin({ ports, admin }: WorkloadDescription): string | undefined {
    return admin ?? (ports.proxyAdmin === undefined ? undefined : at(ports.proxyAdmin));
  }

  appAdmin({ ports }: WorkloadDescription): string | undefined {
    return ports.appAdmin === undefined ? undefined : at(ports.appAdmin);
  }

  relays(target: string): RelayDescription[] {
    return this.description.relays.filter((r) => r.name === target || r.to === target);
  }

  injectionPoints(): { name: string; url: string }[] {
    const { controller, workloads, relays } = this.description;
    const points: { name: string; url: string | undefined }[] = [
      { name: 'supervisor', url: this.admin },
      { name: controller?.process ?? 'controller', url: this.controllerAdmin },
      ...workloads.flatMap((w) => [
        { name: w.proxy ?? w.name, url: this.proxyAdmin(w) },
        { name: w.name, url: this.appAdmin(w) },
      ]),
      ...relays,
    ];
    return points.flatMap(({ name, url }) => (url === undefined ? [] : [{ name, url }]));
  }

  targets(which: 'all' | 'without-proxies' = 'all'): Target[] {
    const { targets } = this.description;
    return which === 'all' ? targets : targets.filter((t) => t.job !== meshJobs.proxy);
  }

  async counters(service: string): Promise<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const workload of this.workloads(service)) {
      const counters = await this.#countersOf(workload);
      for (const [name, value] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + value;
    }
    return sum;
  }

  async #countersOf(workload: WorkloadDescription): Promise<Record<string, number>> {
    const admin = this.appAdmin(workload);
    if (admin === undefined) {
      const sidecar = workload.ports.inbound === undefined ? undefined : this.proxyAdmin(workload);
      return sidecar === undefined ? {} : countersOfSidecar(sidecar);
    }
    return (await askJson<{ counters: Record<string, number> }>(`${admin}/state`)).counters;
  }

  async events(): Promise<TimelineEvent[]> {
    const [processes, certificates] = await Promise.all([
      askJson<ProcessEvent[]>(`${this.admin}/events`).catch(() => []),
      askJson<CertificateLine[]>(`${this.admin}/certificate-events`).catch(() => []),
    ]);
    return [...processes.map(processEvent), ...certificateEvents(certificates)];
  }

  sections(): Promise<ReportSection[]> {
    return askJson<ReportSection[]>(`${this.admin}/sections`).catch(() => []);
  }

  async restart(process: string): Promise<void> {
    const url = `${this.admin}/restart/${encodeURIComponent(process)}`;
    await askJson(url, { method: 'POST', timeoutMs: 30_000 });
  }

  async publish(): Promise<number> {
    const url = `${this.admin}/revision`;
    return (await askJson<{ revision: number }>(url, { method: 'POST' })).revision;
  }

  async renewCertificates(): Promise<void> {
    await askJson(`${this.admin}/renew-certificates`, { method: 'POST', timeoutMs: 60_000 });
  }
}
