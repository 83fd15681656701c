/** The stage of a pattern: a folder, small apps, requests, checks, and a clean-up of everything. */
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeFolder } from '../../base/make-folder.js';
import { realClock, sleep } from '../../base/clock.js';
import { SmallMesh } from './small-mesh.js';

export interface Reply {
  status: number;
  /** The name of the app that answered. */
  app?: string;
  /** The caller's identity, as the app's proxy saw it. */
  caller?: string;
  path?: string;
  text: string;
}

const timeoutMs = 20_000;

export class Stage {
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly #endings: (() => Promise<void> | void)[] = [];

  constructor(folder: string, say: (line: string) => void) {
    this.folder = folder;
    this.say = say;
  }

  atEnd(run: () => Promise<void> | void): void {
    this.#endings.push(run);
  }

  async close(): Promise<void> {
    for (const end of this.#endings.splice(0).toReversed()) await end();
  }

  /** Makes a mesh of its own: trust anchor, issuer, tokens; `open` starts its controller later. */
  async mesh(trustDomain: string): Promise<SmallMesh> {
    const folder = join(this.folder, trustDomain);
    makeFolder(folder, 0o700);
    const mesh = await SmallMesh.plan(folder, trustDomain);
    this.atEnd(() => mesh.close());
    return mesh;
  }

  /**
   * Starts a small app without knowledge of meshes: it answers with its own name and the caller that its proxy
   * announced, and `/via/HOST` makes it send a request to HOST through `outbound`. Resolves to its `ip:port`.
   */
  async app(name: string, outbound?: string): Promise<string> {
    const server = createServer((incoming, response) => {
      const answer = (status: number, value: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(value));
      };
      incoming.resume();
      const path = incoming.url ?? '/';
      const via = /^\/via\/([^/]+)(\/.*)?$/.exec(path);
      if (via && outbound !== undefined) {
        ask(outbound, via[1] as string, via[2]).then(
          (reply) => answer(reply.status, reply.text === '' ? {} : parsed(reply.text)),
          (error: unknown) => answer(599, { text: String(error) }),
        );
      } else
        answer(200, { app: name, caller: incoming.headers['l5d-client-id'] ?? 'nobody', path });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.atEnd(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  }

  /**
   * Repeats the request until the answer is as wanted (a mesh takes a moment to converge), then reports it; or throws.
   */
  async expect(
    what: string,
    attempt: () => Promise<Partial<Reply>>,
    wanted: Partial<Reply>,
    withinMs = 30_000,
  ): Promise<void> {
    const endMs = realClock.monotonicMs() + withinMs;
    for (;;) {
      const got = await attempt().catch((error: unknown) => ({ text: String(error) }));
      const shown = Object.fromEntries(
        Object.keys(wanted).map((key) => [key, (got as Record<string, unknown>)[key]]),
      );
      if (isDeepStrictEqual(shown, wanted)) {
        this.say(`ok    ${what}: ${JSON.stringify(shown)}`);
        return;
      }
      if (realClock.monotonicMs() > endMs) {
        throw new Error(
          `${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got).slice(0, 500)}`,
        );
      }
      await sleep(100);
    }
  }

  /** Sends a request with that Host header; status 0 if the connection was refused or cut. */
  readonly ask = (address: string, host: string, path = '/'): Promise<Reply> =>
    ask(address, host, path);
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { text };
  }
}

function ask(address: string, host: string, path = '/'): Promise<Reply> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const cut = (error: Error): void => resolve({ status: 0, text: error.message });
    const outgoing = request({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      path,
      headers: { host },
      timeout: timeoutMs,
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer'))).on('error', cut);
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk)).on('error', cut);
      response.on('end', () =>
        resolve({ ...parsed(text), status: response.statusCode ?? 0, text } as Reply),
      );
    });
    outgoing.end();
  });
}
