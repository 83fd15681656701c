/** What a relay can do to connections, as its leases say it. */
import { z } from 'zod';
import { UserError } from '../../base/errors.js';

const ratio = z.number().min(0).max(1).default(1);
const ms = z.number().min(0).max(600_000);

const schema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('latency'), ratio, latencyMs: ms, jitterMs: ms.optional() }),
  z.object({ kind: z.literal('bandwidth'), ratio, bytesPerSecond: z.int().min(1).max(1e12) }),
  /** New connections are reset. */
  z.object({ kind: z.literal('refuse'), ratio }),
  /** Open ones too. */
  z.object({ kind: z.literal('cut'), ratio }),
  /** Bytes are swallowed. */
  z.object({ kind: z.literal('blackhole'), ratio }),
]);

export type RelayFault = z.output<typeof schema>;

/** Throws a UserError on a bad one. */
export function checkedRelayFault(value: unknown): RelayFault {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UserError({
    message: `bad fault: ${issue?.path.join('.') || 'kind'}: ${issue?.message ?? ''}`,
    expected: 'latency, bandwidth, refuse, cut or blackhole',
  });
}
