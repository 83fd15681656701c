/** Reports targets whose metrics cannot be scraped, because a drill judges nothing that these metrics would show. */
import { messageOf } from '../../base/errors.js';
import type { Watch } from '../../alerts/watch/index.js';

/**
 * Calls `say` with, for example, `svc` and `its metrics at 127.0.0.1:4711 cannot be scraped`; once if nobody can be
 * asked.
 */
export async function tellUnscraped(
  watch: Pick<Watch, 'query'>,
  say: (workload: string, text: string) => void,
): Promise<void> {
  try {
    for (const { labels } of await watch.query('up == 0')) {
      const { workload, job = '', instance = '' } = labels;
      say(workload ?? job, `its metrics at ${instance} cannot be scraped`);
    }
  } catch (error) {
    say('watch', `it does not say what is scraped: ${messageOf(error)}`);
  }
}
