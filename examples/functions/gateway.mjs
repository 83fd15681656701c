// The gateway: everything goes to the function, and whoever asked waits for longer than a cold start takes.
import { Agent, createServer, request } from 'node:http';

const patienceMs = 8000;
const agent = new Agent({ keepAlive: true });

createServer((incoming, response) => {
  if (incoming.url === '/ready') return void response.end('ok\n');
  const fail = (error) => response.writeHead(502).end(`${error}\n`);
  request(`${process.env.HELLO}${incoming.url}`, { agent, timeout: patienceMs }, (answer) => {
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  })
    .on('timeout', function () {
      this.destroy(new Error('the function says nothing'));
    })
    .on('error', fail)
    .end();
}).listen(Number(process.env.PORT), '127.0.0.1');
