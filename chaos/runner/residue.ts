/** Looks at every injection point for what should be gone by now. */
import { messageOf } from '../../base/errors.js';
import { askJson } from '../faults/system.js';
import type { RunContext } from './context.js';

export async function findResidue(context: RunContext): Promise<string[]> {
  const found = await Promise.all(
    context.system.injectionPoints().map(async ({ name, url }) => {
      try {
        const leases = await askJson<{ id: string }[]>(`${url}/faults`);
        return leases
          .filter((lease) => lease.id.startsWith(context.run))
          .map((lease) => `${lease.id} is still on at ${name}`);
      } catch (error) {
        return [`${name} cannot be asked for faults: ${messageOf(error)}`];
      }
    }),
  );
  return found.flat();
}
