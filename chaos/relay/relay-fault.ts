/** The faults of a relay, as in its leases. */
import * as z from 'zod';
import { UserError } from '../../base/errors.js';
import { wordsOf } from '../../base/yaml.js';

const ratio = z.number().min(0).max(1).default(1);
const ms = z.number().min(0).max(600_000);
/** The seed of this fault's random draws: the same seed gives the same draws. */
const seed = z.int().min(0).max(4_294_967_295).optional();
const common = { ratio, seed };

const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('latency'), ...common, latencyMs: ms, jitterMs: ms.optional() }),
  z.object({ kind: z.literal('bandwidth'), ...common, bytesPerSecond: z.int().min(1).max(1e12) }),
  /** New connections are reset. */
  z.object({ kind: z.literal('refuse'), ...common }),
  /** New and open connections are reset. */
  z.object({ kind: z.literal('cut'), ...common }),
  /** Bytes are dropped. */
  z.object({ kind: z.literal('blackhole'), ...common }),
  /** The client's bytes arrive, and no bytes come back. */
  z.object({ kind: z.literal('half-open'), ...common }),
  /** Pieces are delayed by TCP's time to retransmit a lost segment. */
  z.object({ kind: z.literal('loss'), ...common, lossRatio: z.number().min(0).max(1) }),
]);

export type RelayFault = z.output<typeof schema>;

/** Throws a UserError on a bad fault. */
export function checkedRelayFault(value: unknown): RelayFault {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError({
    message: `bad fault: ${issue?.path.join('.') || 'kind'}: ${issue ? wordsOf(issue) : ''}`,
    expected: 'latency, bandwidth, loss, refuse, cut, half-open or blackhole',
  });
}
