/**
 * Faults of calls: at the caller's sidecar if the sidecar carries the call, otherwise at the call's relay, as bytes.
 */
import * as z from 'zod';
import { type FaultKind, growing, ms, type Ramp, ratio, seed, shrinking } from './kind.js';
import { betweenPoints, edgePoints, relayPoints } from './points.js';

interface Leased {
  /** The fault for the caller's sidecar; absent: no sidecar supports it. */
  proxy?: Record<string, unknown>;
  /** The fault for the relay. */
  relay: Record<string, unknown>;
}

const strikes = 'requests or connections struck';

const atCall = (
  summary: string,
  shape: z.ZodRawShape,
  ramp: Ramp,
  lease: (settings: Record<string, unknown>) => Leased,
): FaultKind => ({
  summary,
  settings: z.strictObject({ ratio: ratio.default(1), seed, ...shape }) as z.ZodType<
    Record<string, unknown>
  >,
  targets: 'call',
  effectUnit: strikes,
  ramp,
  points: (system, target, settings) => {
    const { proxy, relay } = lease(settings);
    const { ratio: whole, seed: own } = settings;
    const { ratio: share = whole, ...effect } = proxy ?? {};
    return [
      ...(proxy ? edgePoints(system, target, { ratio: share, match: {}, effect }) : []),
      ...relayPoints(system, target, { ratio: whole, seed: own, ...relay }),
    ];
  },
});

/** A request that lost a segment waits for the retransmission, like the pieces in chaos/relay/channel.ts. */
const resendMs = 200;

export const callKinds = {
  latency: atCall(
    'what is said on the call takes longer',
    { latencyMs: ms, jitterMs: ms.optional() },
    growing('latencyMs'),
    ({ latencyMs, jitterMs }) => ({
      proxy: { delayMs: latencyMs, ...(jitterMs !== undefined && { delayJitterMs: jitterMs }) },
      relay: { kind: 'latency', latencyMs, jitterMs },
    }),
  ),
  bandwidth: atCall(
    'the call carries so many bytes a second',
    { bytesPerSecond: z.int().positive() },
    shrinking('bytesPerSecond'),
    ({ bytesPerSecond }) => ({
      proxy: { bytesPerSecond },
      relay: { kind: 'bandwidth', bytesPerSecond },
    }),
  ),
  loss: atCall(
    'a share of what is said is lost, and comes as late as TCP sends it again (200 ms, 400 ms, ...)',
    { lossRatio: ratio },
    growing('lossRatio'),
    ({ lossRatio, ratio: whole }) => ({
      proxy: { delayMs: resendMs, ratio: Number(lossRatio) * Number(whole ?? 1) },
      relay: { kind: 'loss', lossRatio },
    }),
  ),
  refuse: atCall('new connections of the call are refused', {}, growing('ratio'), () => ({
    proxy: { reset: true },
    relay: { kind: 'refuse' },
  })),
  cut: atCall('the call is cut: open connections too', {}, growing('ratio'), () => ({
    proxy: { reset: true },
    relay: { kind: 'cut' },
  })),
  silence: atCall(
    'the call is swallowed: nobody answers, and nothing breaks',
    {},
    growing('ratio'),
    () => ({ proxy: { blackhole: true }, relay: { kind: 'blackhole' } }),
  ),
  'half-open': {
    ...atCall(
      'what the caller says arrives, and no answer comes back',
      {},
      growing('ratio'),
      () => ({
        relay: { kind: 'half-open' },
      }),
    ),
    targets: 'relay',
    effectUnit: 'connections struck',
  },
  split: {
    summary: 'two services do not hear each other: every call between them is swallowed, both ways',
    settings: z.strictObject({ ratio: ratio.default(1) }) as z.ZodType<Record<string, unknown>>,
    targets: 'pair',
    effectUnit: strikes,
    ramp: growing('ratio'),
    points: (system, target, { ratio: share }) =>
      betweenPoints(system, target, {
        proxy: { ratio: share, effect: { blackhole: true } },
        relay: { ratio: share, kind: 'blackhole' },
      }),
  },
} satisfies Record<string, FaultKind>;
