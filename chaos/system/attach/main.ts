/**
 * The watcher of a `system: attach` as a program: it holds the faults on running systems, undoes faults that nobody
 * renews, and undoes all faults when its parent ends, however the parent ended. `main.js FIREDRILL_YAML`; it prints its
 * admin port as one JSON line, and then each command that it runs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { outliveReaders } from '../../../base/child.js';
import { realClock } from '../../../base/clock.js';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson,
} from '../../../mesh/admin-http.js';
import type { Leases } from '../../faults/leases.js';
import { readDrill } from '../drill-file.js';
import { endAfter } from '../watcher-end.js';
import { Attached } from './attached.js';

/** Time limit for the undo after the parent's end: two commands of twenty seconds, and a margin. */
const endLimitMs = 60_000;

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new UserError({ message: 'too few arguments', expected: 'FILE' });
  const { name, folder, system: spec } = readDrill(file);
  if (spec.kind !== 'attach') throw new UserError(`${file}: not of what runs already`);
  outliveReaders();
  const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const attached = new Attached({
    name,
    spec,
    folder,
    clock: realClock,
    onProcess: (command, pid) => say({ process: { name: command, pid, group: true } }),
  });
  endAfter(() => attached.close(), endLimitMs);
  let admin = 0;
  const server = adminServer((_, request, response, url) =>
    answer(attached, () => admin, request, response, url),
  );
  admin = await listenForAdmin(server, { host: '127.0.0.1', port: 0 });
  say({ admin, pid: process.pid });
  try {
    await attached.check();
  } catch (error) {
    // The process stays, so that the reason can be queried; its parent ends it.
    attached.failure = messageOf(error);
  }
}

async function answer(
  attached: Attached,
  admin: () => number,
  request: IncomingMessage,
  response: ServerResponse,
  { pathname }: URL,
): Promise<void> {
  const [, call, path = pathname] = /^\/calls\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
  const name = decodeURIComponent(call ?? '');
  const held = attached.call(name);
  const verb = `${request.method} ${path}`;
  const id = removedFault(verb);
  const body = async () => (await jsonBody(request)) as Record<string, unknown>;
  if (call !== undefined && held) {
    if (verb === 'POST /faults') {
      return sendJson(response, 200, await attached.putAtCall(held, name, await body()));
    }
    if (verb === 'GET /faults') {
      await attached.look(held, name);
      return sendJson(response, 200, held.leases.list());
    }
    if (id !== undefined) return removeFrom(held.leases, id, response);
  } else if (call === undefined) {
    if (verb === 'GET /system') return sendJson(response, 200, attached.describe(admin()));
    if (verb === 'GET /events') return sendJson(response, 200, attached.events);
    if (verb === 'GET /faults') return sendJson(response, 200, attached.commands.list());
    if (verb === 'GET /certificate-events' || verb === 'GET /sections') {
      return sendJson(response, 200, []);
    }
    if (verb === 'POST /faults') {
      return sendJson(response, 200, await attached.putCommand(await body()));
    }
    if (id !== undefined) return removeFrom(attached.commands, id, response);
  }
  sendJson(response, 404, { error: `no ${request.method} ${pathname}` });
}

/** The answer also says why the fault was over before. */
async function removeFrom<F>(
  leases: Leases<F>,
  id: string,
  response: ServerResponse,
): Promise<void> {
  const removed = await leases.remove(id);
  const trouble = leases.troubleOf(id);
  sendJson(response, removed ? 200 : 404, { removed, ...(trouble !== undefined && { trouble }) });
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
