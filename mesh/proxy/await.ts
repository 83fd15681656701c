/**
 * `await.js PORT SECONDS [REDIRECTED_PORT]`: exits when the proxy on this machine is ready, or with status 1 and the
 * reason when time runs out. With REDIRECTED_PORT, at which nothing listens on the pod's own address, it also waits
 * until a connection to that port is accepted: the pod's traffic is then redirected to the proxy. Every pod's start
 * waits for this program, so it loads little.
 */
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';

const port = Number(process.argv[2]);
const endsAtMs = performance.now() + Number(process.argv[3]) * 1000;
const redirectedPort = process.argv[4] === undefined ? undefined : Number(process.argv[4]);
const againMs = 20;
const answerLimitMs = 1000;
let reason = 'it does not listen yet';

function ask(): void {
  let answer = '';
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /ready HTTP/1.0\r\n\r\n'));
  socket.setEncoding('utf8').setTimeout(answerLimitMs, () => socket.destroy());
  socket.on('data', (text: string) => (answer += text)).on('error', () => undefined);
  socket.on('close', () => {
    if (/^HTTP\/1\.\d 200 /.test(answer)) return void (redirectedPort && tryRedirection());
    reason = answer.split('\r\n\r\n')[1]?.trim() || reason;
    again(ask);
  });
}

function tryRedirection(): void {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const address = own.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  reason =
    "the pod's traffic is not redirected: does the DaemonSet firedrill-redirector run on this node?";
  if (address === undefined || redirectedPort === undefined) return again(tryRedirection);
  const socket = connect(redirectedPort, address, () => socket.destroy());
  socket.setTimeout(answerLimitMs, () => socket.destroy(new Error('no answer')));
  socket.on('error', () => again(tryRedirection));
}

function again(step: () => void): void {
  if (performance.now() < endsAtMs) return void setTimeout(step, againMs);
  process.stderr.write(`the proxy is not ready: ${reason}\n`);
  process.exitCode = 1;
}

ask();
