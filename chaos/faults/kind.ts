/** What a kind of fault is, wherever it is put; the kinds themselves are in the files beside this one. */
import { z } from 'zod';
import type { System } from '../system/model.js';
import type { FaultPoint } from './points.js';

/** Whatever may be named as a target. */
export type TargetKind =
  | 'controller'
  | 'service'
  | 'process'
  | 'call'
  | 'relay'
  | 'pair'
  | 'disk'
  | 'leaking'
  | 'command'
  | 'registry'
  | 'prometheus'
  | ClusterObject;

/** Of a cluster; its system says which there are. */
export type ClusterObject = 'scaled' | 'pods' | 'limited' | 'throttled' | 'secret';

export interface FaultKind {
  summary: string;
  settings: z.ZodType<Record<string, unknown>>;
  /** What may be named as the target. */
  targets: TargetKind;
  /** What one of `effect` is. */
  effectUnit: string;
  /** Empty where the system has nothing that could hold it. */
  points(system: System, target: string, settings: Record<string, unknown>): FaultPoint[];
  /** The setting that grows where the fault is ramped; absent: it cannot be. */
  ramp?: Ramp;
}

export interface Ramp {
  setting: string;
  /** What it is without the fault, given what it is at its worst: 0, or for a rate a multiple of it. */
  from(worst: number): number;
}

/** From nothing on. */
export const growing = (setting: string): Ramp => ({ setting, from: () => 0 });

/** A rate, from a hundred times as much downwards. */
export const shrinking = (setting: string): Ramp => ({ setting, from: (worst) => worst * 100 });

/** The settings when that share of a ramp (above 0, at most 1) is over; a rate shrinks by equal factors. */
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
/** Of what the holder draws lots by; the same seed draws the same. */
export const seed = z.int().min(0).max(4_294_967_295).optional();
