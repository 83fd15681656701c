// Scale from zero: no function runs until somebody asks; requests are held while one starts, and an instance is
// replaced after so many requests, as platforms do.
import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';

const most = Number(process.env.REQUESTS);
let instance;
let starting;
let starts = 0;
let failed = 0;
let held = 0;

/** Fetches the code, starts it, and resolves to the instance once it says its port. */
async function start() {
  starts++;
  starting = performance.now();
  try {
    const answer = await fetch(`${process.env.STORE}/hello.mjs`, {
      headers: { connection: 'close' },
    });
    if (!answer.ok) throw new Error(`the store answers ${answer.status}`);
    const code = await answer.text();
    // It ends when its standard input does: with this process, however that ends.
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined);
    const own = { child, used: 0, open: 0, retired: false };
    child.on('exit', () => {
      if (!own.retired) instance = undefined;
    });
    for await (const line of createInterface({ input: child.stdout })) {
      own.port = Number(line);
      return own;
    }
    throw new Error('the function ended while it started');
  } catch (error) {
    failed++;
    instance = undefined;
    throw error;
  } finally {
    starting = undefined;
  }
}

async function serve(incoming, response) {
  held++;
  const own = await (instance ??= start()).finally(() => held--);
  own.open++;
  if (++own.used >= most && !own.retired) {
    own.retired = true;
    instance = undefined;
  }
  const done = () => {
    if (--own.open === 0 && own.retired) own.child.stdin.end();
  };
  response.on('close', done);
  request({ port: own.port, path: incoming.url }, (answer) => {
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  })
    .on('error', () => response.writeHead(502).end())
    .end();
}

const page = () =>
  [
    '# TYPE function_starts_total counter',
    `function_starts_total ${starts}`,
    '# TYPE function_start_failures_total counter',
    `function_start_failures_total ${failed}`,
    '# TYPE function_held_requests gauge',
    `function_held_requests ${held}`,
    '# TYPE function_starting_seconds gauge',
    `function_starting_seconds ${starting === undefined ? 0 : (performance.now() - starting) / 1000}`,
    '',
  ].join('\n');

createServer((incoming, response) => {
  if (incoming.url === '/metrics') return void response.end(page());
  if (incoming.url === '/ready') return void response.end('ok\n');
  serve(incoming, response).catch((error) => response.writeHead(503).end(`${error}\n`));
}).listen(Number(process.env.PORT), '127.0.0.1');
