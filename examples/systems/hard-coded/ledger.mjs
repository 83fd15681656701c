// It speaks a protocol of its own: a line in, a line out.
import { createServer } from 'node:net';

createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (line) => socket.write(`written: ${line}`));
}).listen(7000, '127.0.0.1');
