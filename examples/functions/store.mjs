// Where functions' code is kept.
import { createServer } from 'node:http';

const hello = `
import { createServer } from 'node:http';
const server = createServer((request, response) => response.end('hello\\n'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
`;

createServer((request, response) => void response.end(hello)).listen(
  Number(process.env.PORT),
  '127.0.0.1',
);
