/**
 * The undo of a fault that no lease ends: a fault set by a command, or at another project's proxy. The undo is in the
 * journal before the fault is set, so that any reader of the journal can run it: the watcher, the warden beside a run,
 * `firedrill gameday recover`. It may run more than once.
 */
import { boundedText } from '../../base/bounded-answer.js';
import { sleep } from '../../base/clock.js';
import { whyUnanswered } from '../../base/errors.js';
import { failureOf, runCommand } from './run-command.js';

export type Undo =
  | {
      kind: 'command';
      argv: string[];
      folder: string;
      /** Time limit in milliseconds for the undo, and again for the confirmation to stop. */
      limitMs: number;
      /** Ends with 0 while the fault is active; absent if there is no such check. */
      confirm?: string[];
      env?: Record<string, string>;
    }
  | { kind: 'requests'; requests: UndoRequest[] };

export interface UndoRequest {
  method: string;
  url: string;
  body?: Record<string, unknown>;
  headers?: Record<string, string>;
  /** A text instead of a JSON body. */
  text?: string;
  /** A server that is gone, or that does not know the fault, also counts as a failure. */
  strict?: boolean;
}

/** The placeholder for the lease's id in an undo. */
export const leaseName = '{{firedrill-lease}}';

const pollMs = 200;
const requestLimitMs = 10_000;

/** The undo of that one lease. */
export const undoFor = (undo: Undo, id: string): Undo =>
  JSON.parse(JSON.stringify(undo).replaceAll(leaseName, encodeURIComponent(id))) as Undo;

/** Resolves once the fault is undone and no longer confirmed; rejects with the obstacle. */
export async function runUndo(undo: Undo, id: string): Promise<void> {
  if (undo.kind === 'requests') {
    for (const request of undo.requests) await ask(request);
    return;
  }
  const { argv, folder, limitMs, confirm } = undo;
  const env = { ...undo.env, FIREDRILL_FAULT: id };
  const failure = failureOf(await runCommand({ argv, folder, limitMs, env }));
  if (failure !== undefined) throw new Error(`its undo failed: ${failure}`);
  if (confirm === undefined) return;
  const end = performance.now() + limitMs;
  for (;;) {
    const { code, trouble } = await runCommand({ argv: confirm, folder, limitMs, env });
    if (code !== undefined && code !== 0) return;
    if (performance.now() > end) {
      const how = trouble === undefined ? 'still succeeds' : `gives no answer (${trouble})`;
      throw new Error(`it was undone, and its confirm ${how}`);
    }
    await sleep(pollMs);
  }
}

/** The faults of a proxy that has ended are gone too; a fault that the proxy does not know is not active. */
async function ask({
  method,
  url,
  body,
  headers,
  text: written,
  strict,
}: UndoRequest): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      signal: AbortSignal.timeout(requestLimitMs),
      ...(headers && { headers }),
      ...(written !== undefined && { body: written }),
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException) : undefined;
    if (cause?.code === 'ECONNREFUSED' && !strict) return;
    throw new Error(`${method} ${url}: ${whyUnanswered(error)}`, { cause: error });
  }
  const text = await boundedText(response);
  if (response.ok || (response.status === 404 && !strict)) return;
  throw new Error(`${method} ${url} answered ${response.status}: ${text.trim().slice(0, 200)}`);
}
