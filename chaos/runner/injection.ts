/**
 * One active fault: written to the journal, set as a lease, renewed for its duration, confirmed by its effect, and
 * rolled back. If this process ends, the injection point lets the lease lapse.
 */
import type { Clock, Timer } from '../../base/clock.js';
import { formatDurationMs } from '../../base/duration.js';
import { messageOf } from '../../base/errors.js';
import type { FaultRecord } from '../../runbooks/record.js';
import { ramped } from '../faults/kind.js';
import { faultKind, type FaultPoint } from '../faults/kinds.js';
import { runUndo, undoFor } from '../faults/undo.js';
import { servicesStruck } from '../guard/blast-radius.js';
import { askJson, Unreachable } from '../system/ask.js';
import type { System } from '../system/model.js';
import type { ScenarioFault } from '../scenarios/schema.js';
import type { Journal } from './journal.js';

/** Interval in milliseconds at which a growing fault is set anew. */
const rampStepMs = 250;

/** A holder restarts once or twice; somebody who removes a fault again and again undoes the drill. */
const lossesMax = 2;

/** Duration of a lease in milliseconds. Several renewals may fail before the lease lapses. */
export const leaseMs = 6000;
export const renewMs = 1500;

interface HeldLease {
  point: FaultPoint;
  id: string;
  url: string;
  effect: number;
  undone: boolean;
  lapsed: boolean;
  /** Why the fault had no effect, or was over before its end. */
  why?: string;
  /** Its holder did not know it when it was asked last; and how often it was then put again. */
  missing: boolean;
  losses: number;
  /** The fault ended with its holder while a runbook's page was followed. */
  mended: boolean;
}

interface LeaseAnswer {
  id: string;
  effect: number;
  /** Why the fault has no effect, or none any more. */
  trouble?: string;
}

/** An injection point within the runner's own process. It ends with the process, so it needs no lease. */
export interface LocalPoint {
  /** Sets the fault where it is not set; resolves to the number of targets that it strikes now. */
  put(): Promise<number>;
  remove(): Promise<void>;
}

export type LocalPoints = Readonly<Record<string, LocalPoint>>;

export class Injection {
  readonly fault: ScenarioFault;
  readonly record: FaultRecord;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #leases: HeldLease[];
  readonly #local: LocalPoints;
  #timer: Timer | undefined;
  #rampTimer: Timer | undefined;
  readonly #ramp: { overMs: number; bodiesAt(share: number): FaultPoint['body'][] } | undefined;
  #leftToPage = false;
  #renewing: Promise<void> | undefined;

  /** Throws a UserError if the system does not know the target. */
  constructor(
    parts: {
      clock: Clock;
      journal: Journal;
      system: System;
      run: string;
      local?: LocalPoints;
      /** Real milliseconds over which the fault grows. */
      rampMs?: number;
    },
    fault: ScenarioFault,
  ) {
    this.fault = fault;
    this.#clock = parts.clock;
    this.#journal = parts.journal;
    this.#local = parts.local ?? {};
    const kind = faultKind(fault.kind);
    this.#leases = kind.points(parts.system, fault.target, fault.settings).map((point, i) => {
      const id = `${parts.run}-${fault.id}-${i}`;
      const url = `${point.url}/faults/${encodeURIComponent(id)}`;
      const fresh = { effect: 0, undone: false, lapsed: false, mended: false };
      return { point, id, url, ...fresh, missing: false, losses: 0 };
    });
    const { rampMs, system } = parts;
    const { ramp } = kind;
    if (ramp && rampMs !== undefined && rampMs > 0) {
      const bodiesAt = (share: number): FaultPoint['body'][] =>
        kind
          .points(system, fault.target, ramped(ramp, fault.settings, share))
          .map(({ body }) => body);
      this.#ramp = { overMs: rampMs, bodiesAt };
    }
    this.record = {
      id: fault.id,
      kind: fault.kind,
      target: fault.target,
      struck: servicesStruck(parts.system.description, [fault.target]),
      description: describe(fault),
      requestedMs: 0,
      effect: 0,
      effectUnit: kind.effectUnit,
      undo: 'none',
    };
  }

  /** Whether the fault's effect has been seen. */
  get confirmed(): boolean {
    return this.record.confirmedMs !== undefined;
  }

  async begin(): Promise<void> {
    this.record.requestedMs = this.#clock.nowMs();
    this.#grow();
    for (const lease of this.#leases) {
      const { undo, target } = lease.point;
      const own = undo && undoFor(undo, lease.id);
      this.#journal.intent(this.fault.kind, target, lease.url, own);
      await this.#put(lease);
    }
    this.#count();
    // One at a time: the rollback waits for it, and each may wait for a point that does not answer.
    const renew = (): void => {
      this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    };
    this.#timer = this.#clock.every(renewMs, renew);
    if (!this.#ramp) return;
    this.#rampTimer = this.#clock.every(rampStepMs, () => {
      if (this.#grow() >= 1) this.#rampTimer?.cancel();
      renew();
    });
  }

  /** From now on, a lease that its holder lost is not set again, because a page is being followed. */
  leaveToPage(): void {
    this.#leftToPage = true;
    this.#rampTimer?.cancel();
  }

  /** Asks the injection points for the fault's effect so far. */
  async look(): Promise<void> {
    for (const lease of this.#leases) {
      if (lease.undone) continue;
      try {
        if (this.#local[lease.point.url]) {
          await this.#put(lease);
          continue;
        }
        const leases = await askJson<LeaseAnswer[]>(`${lease.point.url}/faults`);
        const own = leases.find((l) => l.id === lease.id);
        if (own) this.#saw(lease, own);
        else if (!this.#renewing) lease.missing = true;
      } catch {
        // A target that is down has no counter to show; the last seen effect is kept.
      }
    }
    this.#count();
  }

  /** Rolls the fault back; resolves to its remains. Never throws: failures are reported, and stay in the journal. */
  async end(): Promise<string[]> {
    this.#timer?.cancel();
    this.#rampTimer?.cancel();
    if (this.record.requestedMs === 0 || this.record.endedMs !== undefined) return [];
    await this.#renewing;
    await this.look();
    const residue: string[] = [];
    for (const lease of this.#leases.toReversed()) {
      const failure = await this.#endLease(lease).catch(messageOf);
      if (failure !== undefined)
        residue.push(`${this.fault.id} at ${lease.point.target}: ${failure}`);
    }
    this.record.endedMs = this.#clock.nowMs();
    this.record.undo =
      residue.length > 0
        ? 'failed'
        : this.#leases.some((l) => l.lapsed || l.why !== undefined)
          ? 'lapsed'
          : 'done';
    const why = this.#leases.find((l) => l.why !== undefined)?.why;
    if (why !== undefined) this.record.lapsedBy = why;
    return residue;
  }

  /** Resolves to the reason why the fault may still be active. */
  async #endLease(lease: HeldLease): Promise<string | undefined> {
    let failure: string | undefined;
    try {
      const local = this.#local[lease.point.url];
      if (local) await local.remove();
      else if (!lease.mended) {
        const ask = { method: 'DELETE', timeoutMs: 30_000 };
        const answer = await askJson<{ trouble?: string }>(lease.url, ask);
        this.#saw(lease, { effect: 0, ...answer });
      }
      lease.undone = true;
    } catch (error) {
      failure = await undoneOtherwise(lease, error);
    }
    if (lease.undone || lease.lapsed) this.#journal.undone(lease.url);
    return failure;
  }

  /**
   * Updates the leases to the fault's current strength; returns the completed share of the ramp. The first step is
   * above zero.
   */
  #grow(): number {
    if (!this.#ramp) return 1;
    const { overMs, bodiesAt } = this.#ramp;
    const sinceMs = this.#clock.nowMs() - this.record.requestedMs;
    const share = Math.min(1, Math.max(rampStepMs, sinceMs) / overMs);
    bodiesAt(share).forEach((body, i) => {
      const lease = this.#leases[i];
      if (lease) lease.point = { ...lease.point, body };
    });
    return share;
  }

  async #put(lease: HeldLease): Promise<void> {
    const local = this.#local[lease.point.url];
    if (local) {
      const effect = await local.put();
      const isOver = effect === 0 && lease.effect > 0;
      return this.#saw(lease, { effect, ...(isOver && { trouble: 'somebody undid it' }) });
    }
    const body = { ...lease.point.body, id: lease.id, ttlMs: leaseMs };
    const answer = await askJson<LeaseAnswer>(`${lease.point.url}/faults`, {
      method: 'POST',
      body,
    });
    this.#saw(lease, answer);
    if (!lease.missing) return;
    lease.missing = false;
    if (++lease.losses <= lossesMax) return;
    lease.why ??=
      `its lease was lost again and again at ${lease.point.target}: ` +
      'somebody removes it, or its holder restarts';
  }

  /** Under a runbook's page, an effect that ends is the page's success. */
  #saw(lease: HeldLease, { effect, trouble }: Omit<LeaseAnswer, 'id'>): void {
    lease.effect = Math.max(lease.effect, effect);
    if (trouble !== undefined && !this.#leftToPage) lease.why ??= trouble;
  }

  async #renew(): Promise<void> {
    for (const lease of this.#leases) {
      if (lease.undone || lease.mended || this.record.endedMs !== undefined) continue;
      if (this.#leftToPage && !this.#local[lease.point.url]) {
        lease.mended = !(await isHeld(lease));
        if (lease.mended) continue;
      }
      await this.#put(lease).catch(() => undefined);
    }
    this.#count();
  }

  #count(): void {
    this.record.effect = this.#leases.reduce((sum, lease) => sum + lease.effect, 0);
    if (this.record.effect > 0) this.record.confirmedMs ??= this.#clock.nowMs();
  }
}

/** Whether the lease is still held; a holder that does not answer now may return with the lease. */
async function isHeld({ point, id }: HeldLease): Promise<boolean> {
  try {
    const leases = await askJson<LeaseAnswer[]>(`${point.url}/faults`);
    return leases.some((l) => l.id === id);
  } catch {
    return true;
  }
}

/** Handles a lease that could not be ended; resolves to the reason why its fault may still be active. */
async function undoneOtherwise(lease: HeldLease, error: unknown): Promise<string | undefined> {
  const isUnknown = / answered 404/.test(messageOf(error));
  if (!isUnknown && !(error instanceof Unreachable)) return messageOf(error);
  const { undo } = lease.point;
  if (undo) {
    try {
      await runUndo(undoFor(undo, lease.id), lease.id);
    } catch (failure) {
      return messageOf(failure);
    }
  }
  // The holder is gone and the fault with it, or the lease has lapsed.
  if (isUnknown) lease.lapsed = true;
  else lease.undone = true;
  return undefined;
}

function describe(fault: ScenarioFault): string {
  const settings = Object.entries(fault.settings)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
  const grows = fault.ramp === undefined ? '' : `, ramped over ${formatDurationMs(fault.ramp)}`;
  return `${faultKind(fault.kind).summary}${settings === '' ? '' : ` (${settings})`}${grows}`;
}

/** A fault that was over before its rollback, and left nothing, counts as rolled back. */
export const isRolledBack = ({ undo }: FaultRecord, residue: readonly string[]): boolean =>
  undo === 'lapsed' ? residue.length === 0 : undo !== 'failed';

/** When the first fault took effect, in milliseconds since the epoch; undefined: none has yet. */
export function firstConfirmedMs(injections: readonly Injection[]): number | undefined {
  const times = injections.flatMap(({ record }) => record.confirmedMs ?? []);
  return times.length > 0 ? Math.min(...times) : undefined;
}
