/** Sends an app's probe to the pod's own address as the kubelet would: by TCP, HTTP or gRPC. Loaded on demand. */
import { request as plainRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as secureRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { messageOf } from '../../../base/errors.js';
import type { AppProbe } from '../../model.js';
import { relayAddress } from '../relay-address.js';

export interface ProbeAnswer {
  /** 200, the app's own status, or 503 when the app did not answer. */
  status: number;
  said: string;
}

/** An unwell app's answer is cut at this length. */
const maxSaidBytes = 4096;
const maxHeadChars = 64 * 1024;

/** `host` is the address that the kubelet dialled. Never throws, and takes no longer than the probe's timeout. */
export async function makeProbe(
  probe: AppProbe,
  host: string,
  userAgent = 'kube-probe',
): Promise<ProbeAnswer> {
  const address = host.replace(/^::ffff:/, '');
  // The connection comes from the relay's address: otherwise the redirection would send it to the inbound side's
  // policy.
  const isLoopback = address.startsWith('127.') || address.includes(':');
  const at = { host: address, ...(isLoopback ? {} : { localAddress: relayAddress }) };
  try {
    if (probe.kind === 'tcp') return await tcp(probe, at);
    if (probe.kind === 'http') return await http(probe, at, userAgent);
    return await grpc(probe, at);
  } catch (error) {
    return { status: 503, said: `${probe.kind} ${address}:${probe.port}: ${messageOf(error)}\n` };
  }
}

interface At {
  host: string;
  localAddress?: string;
}
type Of<K extends AppProbe['kind']> = Extract<AppProbe, { kind: K }>;

const slow = ({ timeoutMs }: AppProbe): Error => new Error(`no answer in ${timeoutMs} ms`);

function tcp(probe: Of<'tcp'>, at: At): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ ...at, port: probe.port, timeout: probe.timeoutMs });
    socket.on('timeout', () => socket.destroy(slow(probe)));
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.destroy();
      resolve({ status: 200, said: 'ok\n' });
    });
  });
}

function http(probe: Of<'http'>, at: At, userAgent: string): Promise<ProbeAnswer> {
  const { port, path } = probe;
  const headers: Record<string, string> = {
    host: `${at.host}:${port}`,
    'user-agent': userAgent,
    accept: '*/*',
    connection: 'close',
    ...Object.fromEntries(
      (probe.headers ?? []).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const isPlain = /^[!-~]+$/.test(path) && lines.every((line) => /^[ -~]*$/.test(line));
  if (probe.tls || !isPlain) return httpByNode(probe, at, headers);
  return httpBySocket(probe, at, `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
}

/** The kubelet counts 200 to 399 as success and does not follow redirects. */
const counted = (status: number): number => (status >= 200 && status < 400 ? 200 : status);

/** Once a second Node's client would cost as much CPU as all else that an idle proxy does. */
function httpBySocket(probe: Of<'http'>, at: At, asked: string): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ ...at, port: probe.port });
    const timer = setTimeout(() => socket.destroy(slow(probe)), probe.timeoutMs);
    let text = '';
    const read = (isEnd: boolean): void => {
      // Interim answers come before the answer.
      text = text.replace(/^(HTTP\/1\.1 1\d\d [^]*?\r?\n\r?\n)+/, '');
      const [head, status = ''] = /^HTTP\/1\.[01] (\d{3})[^]*?\r?\n\r?\n/.exec(text) ?? [];
      if (head === undefined && !isEnd && text.length < maxHeadChars) return;
      const answer = counted(Number(status));
      // The text of a failure may follow its head.
      const [, length = maxSaidBytes] = /^content-length: *(\d+)/im.exec(head ?? '') ?? [];
      const left = Math.min(Number(length), maxSaidBytes);
      const isWhole = text.length - (head?.length ?? 0) >= left;
      if (head !== undefined && answer !== 200 && !isWhole && !isEnd) return;
      clearTimeout(timer);
      socket.destroy();
      if (head === undefined) return reject(new Error('no answer in HTTP'));
      const isChunked = /^transfer-encoding:.*chunked/im.test(head);
      const bytes = Buffer.from(text.slice(head.length, head.length + maxSaidBytes), 'latin1');
      const body = bytes.toString();
      resolve({ status: answer, said: isChunked ? body.replace(/^[\da-f]+\r\n/i, '') : body });
    };
    // A length counts bytes.
    socket.setEncoding('latin1');
    socket.on('data', (more: string) => {
      text += more;
      read(false);
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.on('end', () => read(true));
    socket.write(asked);
  });
}

function httpByNode(
  probe: Of<'http'>,
  at: At,
  headers: Record<string, string>,
): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const send = probe.tls ? secureRequest : plainRequest;
    const { port, path, timeoutMs } = probe;
    // Like the kubelet, this does not verify the certificate.
    const options = { ...at, port, path, headers, agent: false, rejectUnauthorized: false };
    const call = send(options, (response) => {
      let said = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        if (said.length < maxSaidBytes) said += text.slice(0, maxSaidBytes - said.length);
      });
      const done = (): void => {
        clearTimeout(timer);
        resolve({ status: counted(response.statusCode ?? 503), said });
      };
      response.on('close', done);
    });
    const timer = setTimeout(() => call.destroy(slow(probe)), timeoutMs);
    call.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    call.end();
  });
}

/** grpc.health.v1.Health/Check; serving is status 1. */
function grpc(probe: Of<'grpc'>, at: At): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${at.host}:${probe.port}`, {
      createConnection: () => connectTcp({ ...at, port: probe.port }),
    });
    const timer = setTimeout(() => finish(slow(probe)), probe.timeoutMs);
    const finish = (result: ProbeAnswer | Error): void => {
      clearTimeout(timer);
      session.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    session.on('error', finish);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let status: string | undefined;
    const look = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status'] as string);
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.on('error', finish);
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxSaidBytes) chunks.push(chunk);
    });
    stream.on('close', () => {
      // Five bytes of frame, then field 1 (a varint): the status.
      const body = Buffer.concat(chunks);
      const isServing = status === '0' && body[5] === 0x08 && body[6] === 1;
      const said = isServing ? 'serving\n' : `not serving (grpc-status ${status ?? 'none'})\n`;
      finish({ status: isServing ? 200 : 503, said });
    });
    const name = Buffer.from(probe.service);
    const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a, name.length), name]);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([frame, message]));
  });
}
