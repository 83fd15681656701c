/** `firedrill why`: the decisions of each proxy on a request's path, and each proxy's information at that time. */
import { boundedJson, boundedText } from '../../../base/bounded-answer.js';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { counted } from '../../../base/terminal.js';
import { reasonOf, someTargets, type Target, type TargetOptions } from './targets.js';

export interface WhyOptions extends TargetOptions {
  for?: string;
  format: string;
}

/** The answer of GET /why; mesh/proxy/flow/why.ts writes it. */
export interface Why {
  requestId?: string;
  traceId?: string;
  time: string;
  direction: 'inbound' | 'outbound';
  method: string;
  authority: string;
  path: string;
  dst: string;
  route: string;
  verdict: { status: number; classification: string; reason?: string; grpcStatus?: number };
  target: string | null;
  latencyMs: number | null;
  durationMs: number;
  retries: number;
  earlierTries?: string[];
  backend?: string;
  considered?: Record<string, unknown>[];
  panic?: boolean;
  endpoints?: { address: string; state: string; reason?: string; pending: number }[];
  retry?: 'none' | { limit: number; allowed: boolean; used: number };
  budgetLeft?: number;
  [more: string]: unknown;
}

export interface Found {
  proxy: string;
  why: Why;
}

/** Resolves to the exit code: 1 if no proxy recorded the request. */
export async function why(id: string | undefined, options: WhyOptions): Promise<number> {
  const targets = await someTargets(options);
  if (options.for !== undefined) {
    const forMs = parseDurationMs(options.for);
    if (!forMs || forMs > 600_000) {
      throw new UserError({ message: `--for ${options.for}`, expected: 'at most 10m' });
    }
    const { answers, silent } = await ask(targets, '/why', {
      method: 'POST',
      body: JSON.stringify({ forMs }),
    });
    for (const one of silent) process.stderr.write(`no answer from ${one}\n`);
    process.stdout.write(
      `${counted(answers.length, 'proxy records', 'proxies record')} every request for ${options.for}\n`,
    );
    return exitCode.ok;
  }
  const { found, silent } = await recorded(targets, id);
  for (const one of silent) process.stderr.write(`no answer from ${one}\n`);
  if (options.format === 'json') {
    process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  } else if (found.length === 0) {
    process.stderr.write(
      `no proxy recorded ${id ?? 'anything'}: failures are recorded, and one in 128 of what goes well ` +
        '(firedrill why --for 1m records all)\n',
    );
  } else if (id === undefined) {
    for (const f of found) process.stdout.write(`${summaryOf(f)}\n`);
  } else {
    process.stdout.write(`${found.map(explain).join('\n\n')}\n`);
  }
  return found.length > 0 ? exitCode.ok : exitCode.failed;
}

/** The proxies' records of one request, or of the latest ones, in the order of time; and the proxies without answer. */
export async function recorded(
  targets: readonly Target[],
  id: string | undefined,
): Promise<{ found: Found[]; silent: string[] }> {
  const path = id === undefined ? '/why' : `/why?id=${encodeURIComponent(id)}`;
  const { answers, silent } = await ask(targets, path);
  const found = answers
    .flatMap(({ proxy, value }) => [value].flat().map((w) => ({ proxy, why: w as Why })))
    .sort((a, b) => (a.why.time < b.why.time ? -1 : 1));
  return { found, silent };
}

async function ask(
  targets: readonly Target[],
  path: string,
  init: RequestInit = {},
): Promise<{ answers: { proxy: string; value: unknown }[]; silent: string[] }> {
  const silent: string[] = [];
  const answers = await Promise.all(
    targets.map(async (target) => {
      const { address, name: proxy } = target;
      try {
        const signal = AbortSignal.timeout(5000);
        const response = await fetch(`http://${address}${path}`, { ...init, signal });
        if (response.status === 404) return [];
        if (!response.ok) throw new Error(`${response.status} ${await boundedText(response)}`);
        return [{ proxy, value: (await boundedJson(response)) as unknown }];
      } catch (error) {
        silent.push(`${proxy} (${reasonOf(target, error)})`);
        return [];
      }
    }),
  );
  if (silent.length > 0 && silent.length === targets.length)
    throw new UserError(`no proxy answered: ${silent.join(', ')}`, exitCode.environment);
  return { answers: answers.flat(), silent };
}

const summaryOf = ({ why: w }: Found): string =>
  `${w.time} ${w.requestId ?? w.traceId ?? '-'} ${w.direction} ${w.method} ${w.authority}${w.path} ` +
  `-> ${w.verdict.status} ${w.verdict.reason ?? w.verdict.classification} in ${w.durationMs} ms`;

/** One proxy's part of the explanation, in the order of its decisions. */
export function explain({ proxy, why: w }: Found): string {
  const { verdict } = w;
  const lines = [
    `${w.direction} at ${proxy}, ${w.time}`,
    `  request    ${w.method} ${w.authority}${w.path}`,
    `  route      ${w.route || 'none matched: the default'} of ${w.dst || 'no known destination'}`,
  ];
  for (const [name, text] of policyOf(w)) lines.push(`  ${name.padEnd(10)} ${text}`);
  if (w.backend !== undefined) {
    lines.push(`  backend    ${w.backend}${w.panic ? ' (panic: breakers are ignored)' : ''}`);
  }
  for (const c of w.considered ?? []) {
    const rest = Object.entries(c).filter(([key]) => key !== 'address');
    const detail = rest.map(([key, v]) => `${key} ${shown(v)}`).join(', ');
    lines.push(`  considered ${String(c.address)}: ${detail}`);
  }
  for (const e of w.endpoints ?? []) {
    const reason = e.reason ? `, ${e.reason}` : '';
    lines.push(`  endpoint   ${e.address}: ${e.state}${reason}, ${e.pending} under way`);
  }
  for (const t of w.earlierTries ?? []) lines.push(`  tried      ${shown(t)}`);
  if (w.retry !== undefined) {
    lines.push(
      w.retry === 'none'
        ? '  retries    the route has none'
        : `  retries    ${w.retry.used} of ${w.retry.limit}${w.retry.allowed ? '' : ', not safe to repeat'}` +
            (w.budgetLeft === undefined ? '' : `, ${w.budgetLeft} left in the budget`),
    );
  }
  if (w.target) lines.push(`  sent to    ${w.target}`);
  const grpc = verdict.grpcStatus === undefined ? '' : `, grpc-status ${verdict.grpcStatus}`;
  const reason = verdict.reason ? ` (${verdict.reason})` : '';
  const head = w.latencyMs === null ? 'no response head' : `head after ${w.latencyMs} ms`;
  lines.push(
    `  verdict    ${verdict.status}${grpc} ${verdict.classification}${reason}; ${head}, all in ${w.durationMs} ms`,
  );
  return lines.join('\n');
}

function* policyOf(w: Why): Generator<[string, string]> {
  if (w.server !== undefined) yield ['server', shown(w.server)];
  if (w.authorization !== undefined) yield ['policy', shown(w.authorization)];
}

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value);
