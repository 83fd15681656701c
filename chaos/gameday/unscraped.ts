/** Targets whose metrics cannot be read: nothing that they would say is judged, so it is said before a drill. */
import { messageOf } from '../../base/errors.js';
import type { Watch } from '../../alerts/watch/index.js';

/** A line each: `svc (127.0.0.1:4711): its metrics cannot be scraped`. Empty where nobody can be asked. */
export async function unscraped(watch: Pick<Watch, 'query'>): Promise<string[]> {
  try {
    const down = await watch.query('up == 0');
    return down.map(({ labels: { workload, job = '', instance = '' } }) => {
      return `${workload ?? job} (${instance}): its metrics cannot be scraped`;
    });
  } catch (error) {
    return [`nobody knows which metrics cannot be scraped: ${messageOf(error)}`];
  }
}
