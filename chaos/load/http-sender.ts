/** The embedded driver's requests over HTTP/1.1, with TLS for https URLs. */
import * as http from 'node:http';
import * as https from 'node:https';
import type { Sender } from './driver-main.js';
import type { LoadProfile } from './profile.js';
import {
  addressOf,
  bodyProblem,
  fillHeaders,
  fillIn,
  isStatusExpected,
  maxBodyBytes,
} from './request.js';

export function httpSender(profile: LoadProfile): Sender {
  const target = new URL(profile.url);
  const { Agent, request } = target.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 });
  const hostname = target.hostname.replace(/^\[|\]$/g, '');
  return (route, n, end) => {
    const unique = `${process.pid}-${n}`;
    const body = route.body === undefined ? undefined : fillIn(route.body, n, unique);
    const { pathname, search } = new URL(addressOf(profile.url, fillIn(route.path, n, unique)));
    const outgoing = request({
      host: hostname,
      port: target.port === '' ? undefined : target.port,
      method: route.method,
      path: `${pathname}${search}`,
      agent,
      headers: {
        host: profile.host ?? target.host,
        ...fillHeaders(route.headers, n, unique),
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
      },
    });
    let done = false;
    let late = false;
    const finish: typeof end = (outcome) => {
      if (done) return;
      done = true;
      clearTimeout(deadline);
      end(outcome);
    };
    const fail = (): void => finish({ status: 0, failure: late ? 'timeout' : 'no-answer' });
    const deadline = setTimeout(() => {
      late = true;
      outgoing.destroy();
    }, profile.timeoutMs);
    outgoing.on('error', fail).on('close', fail);
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const check = route.expect?.body;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        if (check === undefined || size >= maxBodyBytes) return;
        chunks.push(chunk);
        size += chunk.length;
      });
      response.on('error', fail).on('end', () => {
        if (!isStatusExpected(route.expect, status)) return finish({ status, failure: 'status' });
        const text = Buffer.concat(chunks).subarray(0, maxBodyBytes).toString();
        if (bodyProblem(check, text) !== undefined) return finish({ status, failure: 'body' });
        finish({ status });
      });
    });
    outgoing.end(body);
  };
}
