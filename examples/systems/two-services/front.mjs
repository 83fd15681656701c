// The service that people call: it asks back for the price, and fails where back fails.
import { createServer } from 'node:http';
import { metrics } from './metrics.mjs';

const { page, timed } = metrics();

createServer((request, response) => {
  if (request.url === '/metrics') return void response.end(page());
  if (request.url === '/ready') return void response.end('ok\n');
  const done = timed();
  const answer = (code, body) => {
    response.writeHead(code).end(body);
    done(code);
  };
  fetch(`${process.env.BACK_URL}/price`, { signal: AbortSignal.timeout(2000) })
    .then(async (back) => answer(back.ok ? 200 : 502, await back.text()))
    .catch(() => answer(502, 'no price\n'));
}).listen(Number(process.env.PORT), '127.0.0.1');
