// Its addresses are in its code, where no configuration reaches them.
import { createServer } from 'node:http';
import { connect } from 'node:net';

const stock = 'http://stock.internal:8080';
const ledger = { host: '10.20.30.40', port: 7000 };
const patienceMs = 2000;

createServer((request, response) => {
  if (request.url === '/ready') return void response.end('ok\n');
  const answers = [counted(), written(request.url)];
  Promise.all(answers)
    .then(([count, line]) => response.end(`${count} left, ${line}`))
    .catch((error) => response.writeHead(502).end(`${error.cause ?? error}\n`));
}).listen(8080, '127.0.0.1');

async function counted() {
  const answer = await fetch(`${stock}/count`, { signal: AbortSignal.timeout(patienceMs) });
  if (!answer.ok) throw new Error(`stock answers ${answer.status}`);
  return answer.text();
}

/** What the ledger says when it is told. */
function written(text) {
  return new Promise((resolve, reject) => {
    const socket = connect(ledger);
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('the ledger says nothing')));
    socket.on('error', reject).on('end', () => reject(new Error('the ledger hung up')));
    socket.on('data', (answer) => {
      resolve(answer.toString());
      socket.destroy();
    });
    socket.write(`${text}\n`);
  });
}
