/** `firedrill tap`: live requests of the selected proxies, as they arrive. */
import { request } from 'node:http';
import { parseDurationMs } from '../../../base/duration.js';
import { exitCode, UserError } from '../../../base/errors.js';
import { reasonOf, someTargets, type TargetOptions } from './targets.js';

export interface TapOptions extends TargetOptions {
  direction?: string;
  to?: string;
  route?: string;
  method?: string;
  authority?: string;
  path?: string;
  identity?: string;
  status?: string;
  failures?: boolean;
  header?: string[];
  maxRps: string;
  sample: string;
  duration: string;
  format: string;
}

/** The body of POST /tap; a proxy checks it again. */
export function scopeOf(options: TapOptions): Record<string, unknown> {
  const seconds = (parseDurationMs(options.duration) ?? 0) / 1000;
  if (!(seconds > 0 && seconds <= 600)) {
    throw new UserError({
      message: `--duration ${options.duration}`,
      expected: 'a duration of at most 10m',
    });
  }
  const scope = {
    direction: options.direction,
    destination: options.to,
    route: options.route,
    method: options.method?.toUpperCase(),
    authority: options.authority,
    pathPrefix: options.path,
    identity: options.identity,
    status: statusesOf(options.status),
    classification: options.failures ? 'failure' : undefined,
    headers: options.header,
    maxPerSecond: numberOf('--max-rps', options.maxRps, 1000),
    sampleRatio: numberOf('--sample', options.sample, 1),
    seconds,
    output: options.format === 'json' ? 'json' : 'lines',
  };
  return Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== undefined));
}

/** `503`, `5xx` or `500-599`. */
function statusesOf(text: string | undefined): [number, number] | undefined {
  if (text === undefined) return undefined;
  const match = /^(?:([1-5])xx|(\d{3})(?:-(\d{3}))?)$/.exec(text);
  if (!match) {
    throw new UserError({ message: `--status ${text}`, expected: '503, 5xx or 500-599' });
  }
  if (match[1]) return [Number(match[1]) * 100, Number(match[1]) * 100 + 99];
  return [Number(match[2]), Number(match[3] ?? match[2])];
}

function numberOf(option: string, text: string, max: number): number {
  const value = Number(text);
  if (value > 0 && value <= max) return value;
  throw new UserError({
    message: `${option} ${text}`,
    expected: `a number above 0, at most ${max}`,
  });
}

/** Streams until the taps end, or Ctrl-C. Resolves to the exit code. */
export async function tap(options: TapOptions): Promise<number> {
  const scope = scopeOf(options);
  const targets = await someTargets(options);
  const failures: string[] = [];
  await Promise.all(
    targets.map((target) =>
      follow(target.address, scope, (lines) => process.stdout.write(lines)).catch((e: unknown) => {
        failures.push(target.name);
        process.stderr.write(`${target.name}: ${reasonOf(target, e)}\n`);
      }),
    ),
  );
  return failures.length === targets.length ? exitCode.environment : exitCode.ok;
}

/** Passes one proxy's lines on whole, so that the lines of several proxies do not mix. */
export function follow(
  address: string,
  scope: Record<string, unknown>,
  take: (lines: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(scope);
    const outgoing = request(`http://${address}/tap`, { method: 'POST', signal }, (response) => {
      let rest = '';
      // The proxy answers, also where no request comes.
      if (response.statusCode === 200) take('');
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const text = rest + chunk;
        const end = text.lastIndexOf('\n') + 1;
        rest = text.slice(end);
        if (response.statusCode === 200) take(text.slice(0, end));
        else rest = text;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200
          ? resolve()
          : reject(new Error(`${response.statusCode} ${rest.trim()}`)),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
