/** Work in a container: it counts once it runs, and not where the container cannot run it. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Place } from '../../chaos/system/kubernetes/pods.js';
import { Strain } from '../../chaos/system/kubernetes/strain.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const place = {
  name: 'web-1',
  pod: {
    metadata: { name: 'web-abc', namespace: 'shop', uid: 'u' },
    spec: { containers: [{ name: 'app' }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'app', state: { running: {} } }],
    },
  },
} as unknown as Place;

function strain(ended: (close: Promise<void>) => Promise<string>) {
  const onRunning = vi.fn();
  const onTrouble = vi.fn();
  const own = new Strain(
    {
      access: {},
      pods: { look: () => Promise.resolve() },
      exec: () => {
        let close = (): void => undefined;
        const closed = new Promise<void>((resolve) => (close = resolve));
        return Promise.resolve({ ended: ended(closed), close });
      },
      workIn: () => ({ container: 'app', script: 'burn', limitMs: 600_000 }),
      onRunning,
      onTrouble,
    },
    place,
  );
  return { own, onRunning, onTrouble };
}

test('a container without the command that the work needs is not struck', async () => {
  const why = 'exec: "sh": executable file not found in $PATH';
  const { own, onRunning, onTrouble } = strain(() => Promise.resolve(why));
  await vi.advanceTimersByTimeAsync(5000);
  await Promise.all([own.stop(), vi.advanceTimersByTimeAsync(1000)]);
  expect(onRunning).not.toHaveBeenCalled();
  expect(onTrouble).toHaveBeenCalledWith(why);
});

test('work that runs on is an effect, once for each time that it is begun', async () => {
  const { own, onRunning, onTrouble } = strain((closed) => closed.then(() => ''));
  await vi.advanceTimersByTimeAsync(500);
  expect(onRunning).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(5000);
  expect(onRunning).toHaveBeenCalledTimes(1);
  await Promise.all([own.stop(), vi.advanceTimersByTimeAsync(1000)]);
  expect(onTrouble).not.toHaveBeenCalled();
});
