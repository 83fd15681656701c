/**
 * A running system as a `System`: none of its parts is started or stopped. Faults by commands and at toxiproxies, which
 * do not lapse by themselves, are leases here: a fault that is not renewed is undone.
 */
import type { Target } from '../../../alerts/watch/index.js';
import type { Clock } from '../../../base/clock.js';
import { messageOf, UserError } from '../../../base/errors.js';
import { meshJobs } from '../../../slo/spec/mesh-metrics.js';
import { Leases, type LeaseState } from '../../faults/leases.js';
import { argvOf, runCommand } from '../../faults/run-command.js';
import type { RelayFault } from '../../relay/relay-fault.js';
import { askJson } from '../ask.js';
import type { ProcessEvent, SystemDescription } from '../model.js';
import type { AttachedCall, AttachSpec } from './attach-schema.js';
import { CommandFault, undoOf } from './command-fault.js';
import { endsOf } from './names.js';
import { toxicKinds, Toxiproxy } from './toxiproxy.js';

export interface Attachment {
  name: string;
  spec: AttachSpec;
  /** The commands' working folder. */
  folder: string;
  clock: Clock;
  onProcess(name: string, pid: number): void;
}

interface HeldCall {
  toxiproxy: Toxiproxy;
  leases: Leases<RelayFault>;
  /** Bytes received when the lease was set. */
  before: Map<string, number>;
}

type Body = Record<string, unknown>;

export class Attached {
  readonly #of: Attachment;
  readonly commands: Leases<{ kind: 'command'; target: string }>;
  readonly #calls = new Map<string, HeldCall>();
  readonly #running = new Map<string, CommandFault>();
  readonly events: ProcessEvent[] = [];
  failure: string | undefined;
  ready = false;

  constructor(attachment: Attachment) {
    this.#of = attachment;
    this.commands = new Leases(attachment.clock, {
      begin: ({ target }, id) => this.#begin(target, id),
      end: ({ target }, id) => this.#end(target, id),
    });
    for (const [name, call] of Object.entries(attachment.spec.calls)) {
      if (call.toxiproxy === undefined) continue;
      this.#calls.set(name, this.#held(name, new Toxiproxy(call.toxiproxy, call.proxy ?? name)));
    }
  }

  #held(name: string, toxiproxy: Toxiproxy): HeldCall {
    const before = new Map<string, number>();
    const leases: Leases<RelayFault> = new Leases<RelayFault>(this.#of.clock, {
      begin: async (fault, id) => {
        before.set(id, (await toxiproxy.bytes()) ?? 0);
        await toxiproxy.put(fault, id);
        return 0;
      },
      change: (fault, id) => toxiproxy.change(fault, id),
      end: async (fault, id) => {
        before.delete(id);
        const why = await toxiproxy.lost(fault, id);
        if (why !== undefined) leases.report(id, why);
        const others = Array.from(leases.active(), ([, other]) => other);
        await toxiproxy.takeBack(fault, id, others);
        this.#note(name, 'fault rolled back');
      },
    });
    return { toxiproxy, leases, before };
  }

  /** Checks everything that faults may need, without touching anything. */
  async check(): Promise<void> {
    const { services, calls } = this.#of.spec;
    for (const [name, { proxy }] of Object.entries(services)) {
      if (proxy !== undefined) await asked(`the proxy of ${name}`, `${proxy}/faults`);
    }
    for (const [name, call] of Object.entries(calls)) {
      if (call.relay !== undefined) await asked(`the relay of ${name}`, `${call.relay}/faults`);
      const held = this.#calls.get(name);
      if (!held) continue;
      await held.toxiproxy.check();
      if (call.confirm === undefined && !(await held.toxiproxy.counts())) {
        throw new UserError({
          message: `${name}: the toxiproxy at ${call.toxiproxy} counts no bytes: no fault there could be proven`,
          expected: 'a toxiproxy started with -proxy-metrics, or confirm: COMMAND',
        });
      }
    }
    this.ready = true;
  }

  describe(admin: number): SystemDescription {
    const { name, spec, folder } = this.#of;
    const calls = Object.entries(spec.calls);
    return {
      name,
      kind: 'attach',
      ready: this.ready,
      ...(this.failure !== undefined && { failure: this.failure }),
      namespace: name,
      url: spec.url ?? '',
      workloads: Object.entries(spec.services).map(([service, { proxy }]) => ({
        name: service,
        service,
        calls: calls.map(([call]) => endsOf(call)).flatMap((c) => (c.from === service ? c.to : [])),
        ...(proxy !== undefined && { proxy: `${service}-proxy`, admin: proxy }),
        // The sides that its sidecar serves are not known from outside: a lease on the other side has no effect.
        ports: { app: 0, ...(proxy !== undefined && { inbound: 0, outbound: 0 }) },
      })),
      dependencies: [...new Set(calls.map(([call]) => endsOf(call).to))],
      relays: calls.map(([call, { relay }]) => ({
        name: call,
        ...endsOf(call),
        url: relay ?? `http://127.0.0.1:${admin}/calls/${encodeURIComponent(call)}`,
        ...this.#limitsOf(call),
      })),
      processes: [],
      targets: this.#targets(),
      faults: [],
      commands: Object.entries(spec.faults).map(([fault, own]) => ({
        name: fault,
        ...(own.title !== undefined && { title: own.title }),
        undo: undoOf(own, folder),
      })),
    };
  }

  /** The call's lease; undefined if no lease of the call is held here. */
  call(name: string): HeldCall | undefined {
    return this.#calls.get(name);
  }

  async putAtCall(held: HeldCall, name: string, body: Body): Promise<LeaseState<RelayFault>> {
    const { id = '', ttlMs, ...fault } = body as { id?: string; ttlMs?: number };
    const lease = await held.leases.put(
      { id, ...(ttlMs !== undefined && { ttlMs }) },
      fault as unknown as RelayFault,
    );
    await this.look(held, name);
    return held.leases.list().find((l) => l.id === lease.id) ?? lease;
  }

  /** The effect of a call's faults so far. */
  async look({ toxiproxy, leases, before }: HeldCall, name: string): Promise<void> {
    const confirm = this.#of.spec.calls[name]?.confirm;
    for (const [id, fault] of leases.active()) {
      const known = leases.list().find((l) => l.id === id)?.effect ?? 0;
      if (fault.kind === 'cut') {
        if (known === 0 && (await toxiproxy.isDown())) leases.strike(id);
      } else if (confirm !== undefined) {
        if (known > 0) continue;
        const { folder } = this.#of;
        const argv = argvOf(confirm.command);
        const { code } = await runCommand({ argv, folder, limitMs: confirm.within });
        if (code === 0) leases.strike(id);
      } else {
        const more = ((await toxiproxy.bytes()) ?? 0) - (before.get(id) ?? 0) - known;
        if (more > 0) leases.strike(id, more);
      }
    }
  }

  async putCommand(body: Body): Promise<LeaseState<{ kind: 'command'; target: string }>> {
    const { target } = body;
    const known = Object.keys(this.#of.spec.faults);
    if (body.kind !== 'command' || typeof target !== 'string' || !known.includes(target)) {
      const what = `no fault '${String(target ?? body.kind)}' is declared`;
      throw new UserError({ message: what, expected: known.join(', ') || 'system.faults' });
    }
    return this.commands.put(body, { kind: 'command', target });
  }

  /** Rolls everything back. */
  async close(): Promise<void> {
    await Promise.all([
      this.commands.clear(),
      ...Array.from(this.#calls.values(), ({ leases }) => leases.clear()),
    ]);
  }

  async #begin(target: string, id: string): Promise<number> {
    const spec = this.#of.spec.faults[target];
    if (!spec) throw new Error(`no fault ${target}`);
    const fault = new CommandFault({
      name: target,
      spec,
      folder: this.#of.folder,
      onStart: (name, pid) => this.#of.onProcess(name, pid),
      onConfirmed: (lease) => {
        this.commands.strike(lease);
        this.#note(target, 'injected, and confirmed');
      },
      onTrouble: (lease, text) => {
        this.commands.report(lease, text);
        this.#note(target, text);
      },
    });
    this.#running.set(id, fault);
    await fault.begin(id);
    return 0;
  }

  async #end(target: string, id: string): Promise<void> {
    await this.#running.get(id)?.end(id);
    this.#running.delete(id);
    this.#note(target, 'undone');
  }

  #note(process: string, detail: string): void {
    if (this.events.length >= 1000) return;
    this.events.push({ atMs: this.#of.clock.nowMs(), process, event: 'stopped', detail });
  }

  #limitsOf(call: string): Partial<SystemDescription['relays'][number]> {
    const held = this.#calls.get(call);
    return held ? { undo: held.toxiproxy.undo, kinds: toxicKinds } : {};
  }

  #targets(): Target[] {
    const { name: namespace, spec } = this.#of;
    return [
      ...Object.entries(spec.services).flatMap(([service, own]): Target[] => {
        const labels = { service, workload: service, ...own.labels };
        const { metrics: url, proxy, job = service } = own;
        const ofProxy = { namespace, workload: service };
        return [
          ...(url === undefined ? [] : [{ job, url, labels }]),
          ...(proxy === undefined
            ? []
            : [{ job: meshJobs.proxy, url: `${proxy}/metrics`, labels: ofProxy }]),
        ];
      }),
      ...Object.entries(spec.calls).flatMap(([relay, { relay: url }]: [string, AttachedCall]) => {
        const { from: src, to: dst } = endsOf(relay);
        const labels = { namespace, relay, src, dst };
        return url === undefined ? [] : [{ job: 'firedrill-relay', url: `${url}/metrics`, labels }];
      }),
    ];
  }
}

async function asked(what: string, url: string): Promise<void> {
  try {
    await askJson(url, { timeoutMs: 5000 });
  } catch (error) {
    throw new UserError(`${what}: ${messageOf(error)}`);
  }
}
