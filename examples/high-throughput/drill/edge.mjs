// Sends each request to the API of that name, through its sidecar.
import { Agent, createServer, request } from 'node:http';

const apis = { '/observed': process.env.OBSERVED, '/lean': process.env.LEAN };
const agent = new Agent({ keepAlive: true });

createServer((incoming, response) => {
  const api = apis[incoming.url];
  if (api === undefined) return void response.end('ok\n');
  request(`${api}/items`, { agent, timeout: 5000 }, (answer) => {
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  })
    .on('error', () => response.writeHead(502).end())
    .end();
}).listen(Number(process.env.PORT), '127.0.0.1');
