/** Profiles on request, in the format that Chrome's DevTools read. Loaded on demand. */
import { Session } from 'node:inspector';
import { UserError } from '../../../base/errors.js';

let isRunning = false;

export async function takeProfile(kind: 'cpu' | 'heap', seconds: number): Promise<unknown> {
  if (isRunning) throw new UserError('a profile is being taken already');
  isRunning = true;
  const session = new Session();
  session.connect();
  const post = (method: string, parameters: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) =>
      session.post(method, parameters, (error: Error | null, result?: object) =>
        error ? reject(error) : resolve(result),
      ),
    );
  try {
    const domain = kind === 'cpu' ? 'Profiler' : 'HeapProfiler';
    await post(`${domain}.enable`);
    await post(kind === 'cpu' ? 'Profiler.start' : 'HeapProfiler.startSampling');
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const result = (await post(kind === 'cpu' ? 'Profiler.stop' : 'HeapProfiler.stopSampling')) as {
      profile: unknown;
    };
    return result.profile;
  } finally {
    session.disconnect();
    isRunning = false;
  }
}
