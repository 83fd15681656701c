/**
 * Scale from zero, emulated: the first request starts the function's process and is held until the process is ready;
 * after a while without requests the process is ended. `node activator.js OPTIONS` prints its port as one JSON line.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type Child, dieWithParent, startNode } from '../../../base/child.js';
import { realClock, type Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { program } from '../../../base/paths.js';

export interface ActivatorOptions {
  port: number;
  /** The function ends after this time without a request. */
  idleMs: number;
  /** Held requests wait at most this long for the function to start. */
  startLimitMs: number;
  /** The limit of held requests; further ones are refused, with Retry-After. */
  maxHeld: number;
  /** The duration of the function's start, for demonstration. */
  functionStartMs: number;
}

class Instance {
  readonly #options: ActivatorOptions;
  #child: Child | undefined;
  #port: Promise<number> | undefined;
  #idle: Timer | undefined;
  #busy = 0;
  held = 0;
  starts = 0;
  ends = 0;

  constructor(options: ActivatorOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Begins a request: resolves to the function's port, after starting the function if it is not running. */
  async begin(): Promise<number> {
    this.#idle?.cancel();
    this.#busy++;
    this.held++;
    try {
      this.#port ??= this.#start();
      return await this.#port;
    } finally {
      this.held--;
    }
  }

  done(): void {
    this.#busy--;
    if (this.#busy > 0 || !this.#child) return;
    this.#idle?.cancel();
    this.#idle = realClock.after(this.#options.idleMs, () => this.#end());
  }

  async #start(): Promise<number> {
    this.starts++;
    const { functionStartMs, startLimitMs } = this.#options;
    const script = program('examples/patterns/functions/function-main');
    const child = startNode('function', script, [String(functionStartMs)]);
    this.#child = child;
    const late = realClock.after(startLimitMs, () => child.process.kill('SIGKILL'));
    // After any end of the function, the next request starts another one.
    void child.exited.then(() => {
      this.ends++;
      if (this.#child === child) this.#forget();
    });
    try {
      return (await child.ready).port as number;
    } finally {
      late.cancel();
    }
  }

  #end(): void {
    const child = this.#child;
    // The child is forgotten first: a new request starts another one instead of meeting a closing port.
    this.#forget();
    void child?.stop();
  }

  #forget(): void {
    this.#child = undefined;
    this.#port = undefined;
  }
}

const options = JSON.parse(process.argv[2] ?? '{}') as ActivatorOptions;
const instance = new Instance(options);

async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (incoming.url === '/-/state') {
    const { pid, held, starts, ends } = instance;
    response.end(JSON.stringify({ pid: pid ?? null, held, starts, ends }));
    return;
  }
  if (instance.held >= options.maxHeld) {
    response
      .writeHead(503, { 'retry-after': '1' })
      .end('too many wait for the function to start\n');
    return;
  }
  try {
    // The request's body stays unread, in the sender's buffers, while the function starts.
    const port = await instance.begin();
    await relay(incoming, response, port);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end(`the function: ${messageOf(error)}\n`);
  } finally {
    instance.done();
  }
}

function relay(incoming: IncomingMessage, response: ServerResponse, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const { method, url, headers } = incoming;
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers });
    outgoing.on('error', reject).on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response).on('close', resolve);
      answer.on('error', reject);
    });
    incoming.pipe(outgoing);
  });
}

dieWithParent();
const server = createServer((incoming, response) => void serve(incoming, response));
server.listen(options.port, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
