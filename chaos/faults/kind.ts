/**
 * The definition of a kind of fault, independent of its place; the kinds themselves are in the files beside this one.
 */
import * as z from 'zod';
import type { System } from '../system/model.js';
import type { FaultPoint } from './points.js';

/** The kinds of targets. */
export type TargetKind =
  | 'controller'
  | 'service'
  | 'process'
  | 'call'
  | 'relay'
  | 'pair'
  | 'disk'
  | 'resolver'
  | 'leaking'
  | 'command'
  | 'registry'
  | 'prometheus'
  | ClusterObject;

/**
 * Objects of a cluster that its system lists: scalable workloads, all pods, those with a memory or CPU limit, Secrets.
 */
export type ClusterObject = 'scaled' | 'pods' | 'limited' | 'throttled' | 'secret';

export interface FaultKind {
  summary: string;
  settings: z.ZodType<Record<string, unknown>>;
  /** The kind of target that the fault requires. */
  targets: TargetKind;
  /** The unit of `effect`. */
  effectUnit: string;
  /** Returns the injection points for the fault; empty if the system has none for the target. */
  points(system: System, target: string, settings: Record<string, unknown>): FaultPoint[];
  /** The setting that grows if the fault is ramped; absent: the fault cannot be ramped. */
  ramp?: Ramp;
}

export interface Ramp {
  setting: string;
  /** The starting value, given the worst value: 0, or a multiple of it for a rate. */
  from(worst: number): number;
}

/** A setting that grows from 0. */
export const growing = (setting: string): Ramp => ({ setting, from: () => 0 });

/** A rate that shrinks from a hundred times the worst value. */
export const shrinking = (setting: string): Ramp => ({ setting, from: (worst) => worst * 100 });

/** The settings after that share of a ramp (above 0, at most 1); a rate shrinks by equal factors. */
export function ramped(
  { setting, from }: Ramp,
  settings: Record<string, unknown>,
  share: number,
): Record<string, unknown> {
  const worst = settings[setting];
  if (typeof worst !== 'number' || share >= 1) return settings;
  const start = from(worst);
  const now = start > worst ? start * (worst / start) ** share : start + (worst - start) * share;
  return { ...settings, [setting]: Number.isInteger(worst) && worst > 1 ? Math.ceil(now) : now };
}

export const none = z.strictObject({});
export const ms = z.number().min(0).max(600_000);
export const ratio = z.number().min(0).max(1);
/** The seed of the holder's random draws; the same seed gives the same draws. */
export const seed = z.int().min(0).max(4_294_967_295).optional();
