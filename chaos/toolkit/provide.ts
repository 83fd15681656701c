/** Runs one activity of an experiment: a program or an HTTP request, within its time limit. */
import { delimiter, join } from 'node:path';
import { homedir } from 'node:os';
import { boundedText } from '../../base/bounded-answer.js';
import { findExecutable, isExecutable } from '../../base/executable.js';
import { fetchWith } from '../../base/access.js';
import { whyUnanswered } from '../../base/errors.js';
import type { UndoRequest } from '../faults/undo.js';
import { failureOf, runCommand } from '../faults/run-command.js';
import type { Activity, Provider } from './experiment.js';
import { type Answer, isWithin } from './tolerance.js';

export interface Doing {
  folder: string;
  signal: AbortSignal;
  /** Called when a program runs, with the id of its process group. */
  onStart(name: string, pid: number): void;
}

type Of<T extends Provider['type']> = Extract<Provider, { type: T }>;

/** Rejects with the reason for a missing answer. */
export function perform({ name, provider }: Activity, doing: Doing): Promise<Answer> {
  return provider.type === 'process'
    ? performProcess(name, provider, doing)
    : performHttp(provider, doing);
}

/** The reason why an answered action was not done; undefined if it was, or if its tolerance says how it may answer. */
export function undone(
  { type, provider, tolerance }: Activity,
  answer: Answer,
): string | undefined {
  if (type !== 'action') return undefined;
  const { status, stdout, stderr } = answer;
  if (tolerance) {
    return isWithin(tolerance, answer) ? undefined : `its answer ${status} is out of its tolerance`;
  }
  if (provider.type === 'http') {
    const isBad = status >= 400 && provider.expectedStatus === undefined;
    return isBad ? `answered ${status}` : undefined;
  }
  return failureOf({ code: status, stdout: String(stdout), stderr: String(stderr) });
}

const keptBytes = 1_000_000;

async function performProcess(
  name: string,
  provider: Of<'process'>,
  { folder, signal, onStart }: Doing,
): Promise<Answer> {
  const end = await runCommand({
    argv: argvOf(provider),
    folder,
    limitMs: provider.timeoutMs,
    env: provider.env,
    onStart: (pid) => onStart(name, pid),
    dieWithParent: true,
    signal,
    keptBytes,
  });
  if (end.code === undefined) throw new Error(end.trouble ?? 'it was killed');
  return { status: end.code, stdout: end.stdout, stderr: end.stderr };
}

/** Arguments given as one text are for the shell, after the program. */
export function argvOf({ path, arguments: given }: Of<'process'>): string[] {
  const program = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  return typeof given === 'string' ? ['/bin/sh', '-c', `${program} ${given}`] : [program, ...given];
}

/** The reason why the program cannot be run; undefined if it exists. */
export function missing({ path }: Of<'process'>, folder: string): string | undefined {
  const own = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  const isThere = own.includes('/')
    ? isExecutable(join(own.startsWith('/') ? '/' : folder, own))
    : findExecutable([own], (process.env.PATH ?? '').split(delimiter)) !== undefined;
  return isThere ? undefined : `no program '${path}'`;
}

/** The request's address and body: arguments are the query of a GET, otherwise the body. */
export function requestOf(provider: Of<'http'>): UndoRequest {
  const { arguments: given, method, headers } = provider;
  const texts = Object.entries(given ?? {}).map(([k, v]): [string, string] => [k, String(v)]);
  const url = new URL(provider.url);
  if (method === 'GET' || given === undefined) {
    for (const [k, v] of texts) url.searchParams.append(k, v);
    return { method, url: url.href, headers, strict: true };
  }
  const isJson = Object.entries(headers).some(
    ([k, v]) => k.toLowerCase() === 'content-type' && v.includes('json'),
  );
  const type = 'application/x-www-form-urlencoded';
  return isJson
    ? { method, url: url.href, headers, text: JSON.stringify(given), strict: true }
    : {
        method,
        url: url.href,
        headers: { 'content-type': type, ...headers },
        text: new URLSearchParams(texts).toString(),
        strict: true,
      };
}

async function performHttp(provider: Of<'http'>, { signal }: Doing): Promise<Answer> {
  const { method, url, headers = {}, text } = requestOf(provider);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(provider.timeoutMs)]);
  const ask = fetchWith({ url, ...(!provider.verifyTls && { insecure: true }) });
  let response: Response;
  try {
    response = await ask(url, {
      method,
      headers,
      signal: limit,
      ...(text !== undefined && { body: text }),
    });
  } catch (error) {
    const { timeoutMs } = provider;
    throw new Error(
      limit.aborted && !signal.aborted
        ? `no answer within ${timeoutMs / 1000} s`
        : whyUnanswered(error),
      { cause: error },
    );
  }
  const body = (await boundedText(response)).slice(0, keptBytes);
  if (provider.expectedStatus !== undefined && response.status !== provider.expectedStatus) {
    throw new Error(`answered ${response.status}, and ${provider.expectedStatus} was expected`);
  }
  let value: unknown = body;
  try {
    // Other bodies stay texts as they are, also one that looks like a number.
    if (/json/.test(response.headers.get('content-type') ?? '')) value = JSON.parse(body);
  } catch {
    // A body that is not JSON stays a text, whatever its type says.
  }
  return { status: response.status, headers: Object.fromEntries(response.headers), body: value };
}
