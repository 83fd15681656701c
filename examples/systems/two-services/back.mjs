// The service that is called: it answers /price after a moment.
import { createServer } from 'node:http';
import { metrics } from './metrics.mjs';

const { page, timed } = metrics();

createServer((request, response) => {
  if (request.url === '/metrics') return void response.end(page());
  if (request.url === '/ready') return void response.end('ok\n');
  const done = timed();
  setTimeout(() => {
    response.end(JSON.stringify({ price: 42 }));
    done(200);
  }, 5);
}).listen(Number(process.env.PORT), '127.0.0.1');
