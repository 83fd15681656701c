/** A worker thread that runs one job after another. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../../base/errors.js';
import { type Job, runJob } from './run.js';

function answer(job: Job) {
  try {
    return { result: runJob(job) };
  } catch (error) {
    return { error: `${job.slo.id}: ${messageOf(error)}` };
  }
}

parentPort?.on('message', (job: Job) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
  parentPort?.postMessage(answer(job));
});
