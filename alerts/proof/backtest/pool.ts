/** Runs jobs on a few threads, each of which asks for its next job; results are in the order of the jobs. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { program } from '../../../base/paths.js';
import { type Job, runJob, type SloResult } from './run.js';

/** Fewer jobs than this are finished before a thread would have started. */
const inlineMax = 8;

export interface PoolOptions {
  threads?: number;
  onProgress?: (done: number, of: number) => void;
}

/** `jobs` may be a generator, so that a thousand histories need not be in memory at once. */
export async function runJobs(
  jobs: Iterable<Job>,
  count: number,
  options: PoolOptions = {},
): Promise<SloResult[]> {
  const threads = Math.min(options.threads ?? availableParallelism(), count);
  const results: SloResult[] = [];
  let done = 0;
  const take = (index: number, result: SloResult): void => {
    results[index] = result;
    options.onProgress?.(++done, count);
  };
  if (count <= inlineMax || threads <= 1) {
    let index = 0;
    for (const job of jobs) take(index++, runJob(job));
    return results;
  }
  const iterator = jobs[Symbol.iterator]();
  let next = 0;
  const workers = Array.from(
    { length: threads },
    () => new Worker(program('alerts/proof/backtest/worker')),
  );
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((resolve, reject) => {
            let index = -1;
            const give = (): void => {
              const item = iterator.next();
              if (item.done) return resolve();
              index = next++;
              // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
              worker.postMessage(item.value);
            };
            worker.on('message', (answer: { result?: SloResult; error?: string }) => {
              if (!answer.result) return reject(new Error(answer.error));
              take(index, answer.result);
              give();
            });
            worker.on('error', reject);
            give();
          }),
      ),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}
