// It counts what it has, and how often it was asked.
import { createServer } from 'node:http';

let asked = 0;

createServer((request, response) => {
  if (request.url === '/metrics') return void response.end(`stock_asked_total ${asked}\n`);
  asked++;
  response.end('42');
}).listen(8080, '127.0.0.1');
