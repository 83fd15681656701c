/** `await.js PORT SECONDS`: ends when the proxy on this machine is ready, with 1 where it is not in time. */
import { get } from 'node:http';

const port = Number(process.argv[2]);
const endsAtMs = performance.now() + Number(process.argv[3]) * 1000;

function ask(): void {
  const again = (): void => {
    if (performance.now() > endsAtMs) process.exit(1);
    setTimeout(ask, 50);
  };
  get({ host: '127.0.0.1', port, path: '/ready', timeout: 1000 }, (response) => {
    if (response.statusCode === 200) process.exit(0);
    response.resume();
    again();
  })
    .on('timeout', function (this: { destroy(): void }) {
      this.destroy();
    })
    .on('error', again);
}

ask();
