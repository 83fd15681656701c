/** A function as a process: prints its port as one JSON line, then answers. Its start takes some time. */
import { createServer } from 'node:http';
import { dieWithParent } from '../../../base/child.js';

const startMs = Number(process.argv[2] ?? 0);
const bornMs = Date.now();

dieWithParent();
const server = createServer((incoming, response) => {
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
  incoming.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const caller = incoming.headers['l5d-client-id'];
    response.end(
      JSON.stringify({
        app: 'function',
        caller,
        path: incoming.url,
        bytes,
        pid: process.pid,
        bornMs,
      }),
    );
  });
});
setTimeout(() => {
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    process.stdout.write(`${JSON.stringify({ port })}\n`);
  });
}, startMs);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
