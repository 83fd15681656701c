/**
 * `await.js PORT SECONDS`: exits when the proxy on this machine is ready, or with status 1 and the reason when time
 * runs out. Every pod's start waits for this program, so it loads nothing but a socket.
 */
import { connect } from 'node:net';

const port = Number(process.argv[2]);
const endsAtMs = performance.now() + Number(process.argv[3]) * 1000;
const againMs = 20;
const answerLimitMs = 1000;
let reason = 'it does not listen yet';

function ask(): void {
  let answer = '';
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /ready HTTP/1.0\r\n\r\n'));
  socket.setEncoding('utf8').setTimeout(answerLimitMs, () => socket.destroy());
  socket.on('data', (text: string) => (answer += text)).on('error', () => undefined);
  socket.on('close', () => {
    if (/^HTTP\/1\.\d 200 /.test(answer)) return;
    reason = answer.split('\r\n\r\n')[1]?.trim() || reason;
    if (performance.now() < endsAtMs) return void setTimeout(ask, againMs);
    process.stderr.write(`the proxy is not ready: ${reason}\n`);
    process.exitCode = 1;
  });
}

ask();
