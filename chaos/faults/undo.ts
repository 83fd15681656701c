/**
 * The undo of a fault that no lease ends: of what is broken by a command, or at somebody else's proxy. It is written to
 * the journal before the fault is put, so that whoever finds the journal can do it: the watcher, the warden beside a
 * run, `firedrill gameday recover`. It may be done more than once.
 */
import { sleep } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { failureOf, runCommand } from './run-command.js';

export type Undo =
  | {
      kind: 'command';
      argv: string[];
      folder: string;
      /** For the undo, and again until what confirmed the fault does so no longer. */
      limitMs: number;
      /** Ends with 0 while the fault is on; absent where nobody can tell. */
      confirm?: string[];
      env?: Record<string, string>;
    }
  | { kind: 'requests'; requests: UndoRequest[] };

export interface UndoRequest {
  method: string;
  url: string;
  body?: Record<string, unknown>;
  headers?: Record<string, string>;
  /** Instead of a body. */
  text?: string;
  /** A server that is gone, or that knows nothing of it, is a failure too. */
  strict?: boolean;
}

/** Stands for the lease's id in an undo. */
export const leaseName = '{{firedrill-lease}}';

const pollMs = 200;
const requestLimitMs = 10_000;

/** An undo of that one lease. */
export const undoFor = (undo: Undo, id: string): Undo =>
  JSON.parse(JSON.stringify(undo).replaceAll(leaseName, encodeURIComponent(id))) as Undo;

/** Resolves once it is undone and nothing confirms the fault any more; rejects with what was in the way. */
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

/** A proxy that has ended took its faults with it; a fault that it does not know is not there. */
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
    throw new Error(`${method} ${url}: ${messageOf(cause ?? error)}`, { cause: error });
  }
  const text = await response.text();
  if (response.ok || (response.status === 404 && !strict)) return;
  throw new Error(`${method} ${url} answered ${response.status}: ${text.trim().slice(0, 200)}`);
}
