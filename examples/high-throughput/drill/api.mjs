// A list of items, to whoever asks.
import { createServer } from 'node:http';

const items = JSON.stringify(Array.from({ length: 20 }, (_, i) => `item ${i}`));

createServer((request, response) => {
  request.resume().on('end', () => response.end(items));
}).listen(Number(process.argv[2]), '127.0.0.1');
