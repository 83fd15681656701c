/**
 * `system: attach` in a firedrill.yaml: a system that runs already, its injection points, and the undo of its faults.
 */
import * as z from 'zod';
import { parseDurationMs } from '../../../base/duration.js';
import { identifier, labels, loadAddress, text } from '../../scenarios/fields.js';

const limit = (most: string) =>
  z
    .string()
    .refine(
      (value) => {
        const ms = parseDurationMs(value);
        return ms !== undefined && ms > 0 && ms <= (parseDurationMs(most) as number);
      },
      { error: `expected a duration such as 10s, at most ${most}` },
    )
    .transform((value) => parseDurationMs(value) as number);

const noCommand = 'expected a list of arguments, or one text for sh';

const command = (missing: string) =>
  z.union([z.array(text).min(1), text], {
    error: ({ input }) => (input === undefined ? missing : noCommand),
  });

/** `missing` is the error for an absent command. */
const step = (missing: string, most: string) =>
  z
    .union([
      command(missing).transform((value) => ({ command: value, within: 10_000 })),
      z.strictObject({ command: command(noCommand), within: limit(most).default(10_000) }),
    ])
    .describe(`a command, or { command, within }; within: 10s, at most ${most}`);

const address = z.string().regex(/^https?:\/\/[^\s/]+(\/\S*)?$/, {
  error: 'expected such as http://127.0.0.1:8474',
});

const callName = z.string().regex(/^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)?$/, {
  error: 'expected such as front/redis',
});

export const attachSchema = z.strictObject({
  kind: z.literal('attach'),
  url: loadAddress.optional().describe('where the load is sent; absent with load: existing'),
  services: z
    .record(
      identifier,
      z.strictObject({
        proxy: address.optional().describe('the admin address of its firedrill proxy'),
        metrics: address.optional().describe('scraped with the labels service and workload'),
        job: text.optional().describe("of its metrics; default: the service's name"),
        labels,
      }),
    )
    .default({}),
  calls: z
    .record(
      callName,
      z
        .strictObject({
          relay: address.optional().describe('the admin address of its firedrill relay'),
          toxiproxy: address.optional().describe('the API of a toxiproxy that carries it'),
          proxy: text.optional().describe("the toxiproxy's name for it; default: the call's"),
          confirm: step(noCommand, '1m')
            .optional()
            .describe('ends with 0 while a fault is on, for a toxiproxy that counts no bytes'),
        })
        .refine((c) => (c.relay === undefined) !== (c.toxiproxy === undefined), {
          error: 'expected either relay or toxiproxy',
        }),
    )
    .default({})
    .describe('what can be slowed, cut and silenced: by a built-in relay, or by a toxiproxy'),
  faults: z
    .record(
      identifier,
      z.strictObject({
        title: text.optional(),
        inject: step('no inject: nothing would be broken', '1m'),
        confirm: step(
          'no confirm: a fault whose effect nobody confirms is as good as none',
          '1m',
        ).describe('ends with 0 while the fault is on, and only then'),
        undo: step('no undo: what cannot be rolled back is not injected', '20s').describe(
          'may be run more than once',
        ),
      }),
    )
    .default({})
    .describe('commands, struck as { kind: command, target: NAME }'),
});

export type AttachSpec = z.output<typeof attachSchema>;
export type AttachedCall = AttachSpec['calls'][string];
export type AttachedFault = AttachSpec['faults'][string];
export type CommandStep = AttachedFault['inject'];
