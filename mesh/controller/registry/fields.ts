/** Fields that several objects of the registry share, as zod schemas that produce the model's units. */
import { isIP } from 'node:net';
import * as z from 'zod';
import { parseDurationMs } from '../../../base/duration.js';
import { patternProblem } from '../../pattern/pattern.js';
import { isNetwork } from '../../policy/authorize.js';
import { accessPolicies, protocols } from '../../schema/choices.js';

export const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const ms = parseDurationMs(String(value));
  if (ms === undefined) {
    context.addIssue({
      code: 'custom',
      message: `'${value}' is not a duration (500ms, 2s, 1h30m)`,
    });
    return z.NEVER;
  }
  return ms;
});

export const durationSeconds = duration.transform((ms) => ms / 1000);

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A service's, workload's or namespace's name. */
export const label = z
  .string()
  .regex(dnsLabel, 'must be lower-case letters, digits and dashes, at most 63');

export const dottedName = z
  .string()
  .refine((s) => s.length <= 253 && s.split('.').every((part) => dnsLabel.test(part)), {
    message: 'must be a DNS name in lower case',
  });

export const host = z.string().refine(
  (s) =>
    s.length <= 253 &&
    s
      .replace(/^\*\./, '')
      .split('.')
      .every((p) => /^[a-z0-9_-]{1,63}$/.test(p)),
  { message: 'must be a host name in lower case without a port; *. may lead it' },
);

/** `ip:port`, or `[ip]:port`. */
export const address = z.string().refine(isAddress, {
  message: 'must be ip:port, such as 127.0.0.1:8080 or [::1]:8080',
});

function isAddress(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (!match) return false;
  const port = Number(match[3]);
  const family = isIP(match[1] ?? match[2] ?? '');
  return port > 0 && port < 65536 && family === (match[1] === undefined ? 4 : 6);
}

export const port = z.int().min(1).max(65535);
export const ratio = z.number().min(0).max(1);
export const protocol = z.enum(protocols);
export const labels = z.record(z.string(), z.string());

export const defaultPolicy = z.enum(accessPolicies);

/** 503 or '500-599', as inclusive ranges. */
export const statuses = z.array(
  z.union([z.string(), z.number()]).transform((value, context): [number, number] => {
    const match = /^(\d{3})(?:-(\d{3}))?$/.exec(String(value));
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? from);
    if (!match || from < 100 || to > 599 || from > to) {
      context.addIssue({ code: 'custom', message: `'${value}' is not a status (503 or 500-599)` });
      return z.NEVER;
    }
    return [from, to];
  }),
);

/** RE2 syntax, matched in linear time: the proxy accepts the same patterns. */
export const regex = z.string().superRefine((text, context) => {
  const problem = patternProblem(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: `'${text}': ${problem}` });
});

export const cidr = z
  .string()
  .refine(isNetwork, { message: 'must be a network such as 10.0.0.0/8' });
