/** `firedrill gameday faults`: every kind of fault, its settings, and its possible targets in the present system. */
import type * as z from 'zod';
import { formatTable } from '../../base/terminal.js';
import { targetsOf } from '../scenarios/world.js';
import { findDrill } from '../system/bundled.js';
import { namesOf } from '../system/names.js';
import type { SystemNames } from '../scenarios/world.js';
import { faultKind, type FaultKindName, faultKindNames } from './kinds.js';

export interface ListOptions {
  drill?: string;
  format: string;
}

interface FaultRow {
  kind: FaultKindName;
  does: string;
  /** `latencyMs`, `jitterMs?`. */
  settings: string[];
  effect: string;
  /** The setting that grows if the fault is ramped. */
  ramp?: string;
  /** Undefined if only the running system knows. */
  targets?: readonly string[];
  /** The reason why the fault is impossible here. */
  impossible?: string;
}

export async function listFaults({ drill, format }: ListOptions): Promise<void> {
  const names = await namesOf(findDrill(drill));
  const rows = faultKindNames.map((kind) => rowOf(kind, names));
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ system: names.name, faults: rows }, undefined, 2)}\n`);
    return;
  }
  const lines = rows.map((row) => [row.kind, row.settings.join(' '), row.effect, whereText(row)]);
  process.stdout.write(
    `${formatTable(['FAULT', 'SETTINGS', 'COUNTS', `IN ${names.name}`], lines)}\n`,
  );
}

function rowOf(name: FaultKindName, names: SystemNames): FaultRow {
  const kind = faultKind(name);
  const targets = targetsOf(names, kind.targets);
  const impossible = names.impossible?.[name];
  return {
    kind: name,
    does: kind.summary,
    settings: settingsOf(kind.settings),
    effect: kind.effectUnit,
    ...(kind.ramp && { ramp: kind.ramp.setting }),
    ...(targets && { targets }),
    ...(impossible !== undefined && { impossible }),
  };
}

/** The name of an optional setting ends with a question mark. */
function settingsOf(schema: z.ZodType): string[] {
  const shape = (schema as unknown as { shape?: Record<string, z.ZodType> }).shape ?? {};
  return Object.entries(shape).map(([name, own]) =>
    own.safeParse(undefined).success ? `${name}?` : name,
  );
}

const shown = 4;

function whereText({ impossible, targets }: FaultRow): string {
  if (impossible !== undefined) return `cannot: ${impossible}`;
  if (!targets) return 'known once it runs';
  if (targets.length === 0) return 'nothing takes it';
  const more = targets.length - shown;
  return `${targets.slice(0, shown).join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}
