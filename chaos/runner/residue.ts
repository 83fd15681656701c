/** Asks every injection point for faults that must be gone by now. */
import { messageOf } from '../../base/errors.js';
import type { DeathRecord } from '../../runbooks/record.js';
import { askJson, Unreachable } from '../system/ask.js';
import type { RunContext } from './context.js';

export interface Residue {
  /** Faults that are still active, or that cannot be queried. */
  left: string[];
  /** Injection points that do not answer: the faults that they held ended with them. */
  dead: DeathRecord[];
}

export async function findResidue(context: RunContext): Promise<Residue> {
  const residue: Residue = { left: [], dead: [] };
  await Promise.all(
    context.system.injectionPoints().map(async ({ name, url }) => {
      try {
        const leases = await askJson<{ id: string }[]>(`${url}/faults`);
        const own = leases.filter((lease) => lease.id.startsWith(context.run));
        residue.left.push(...own.map((lease) => `${lease.id} is still on at ${name}`));
      } catch (error) {
        if (error instanceof Unreachable) residue.dead.push({ name });
        else residue.left.push(`${name} cannot be asked for faults: ${messageOf(error)}`);
      }
    }),
  );
  return residue;
}
