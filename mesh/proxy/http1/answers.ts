/** The proxy's own answers: short, plain, and always with their length. */
import { STATUS_CODES } from 'node:http';
import type { HeaderList } from '../flow/contract.js';

export function answerText(answer: {
  status: number;
  headers: HeaderList;
  body: string;
  /** For a HEAD request the length is stated and the body is not sent. */
  isHead: boolean;
  close: boolean;
  keepAlive: boolean;
}): string {
  const { status, headers, body } = answer;
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  if (status !== 204 && status !== 304) {
    const length = Buffer.byteLength(body);
    if (length > 0) text += 'content-type: text/plain; charset=utf-8\r\n';
    text += `content-length: ${length}\r\n`;
  }
  if (answer.close) text += 'connection: close\r\n';
  else if (answer.keepAlive) text += 'connection: keep-alive\r\n';
  text += '\r\n';
  if (answer.isHead || status === 204 || status === 304) return text;
  return text + Buffer.from(body, 'utf8').toString('latin1');
}

/** The answers to CONNECT. */
export const tunnelOpened = 'HTTP/1.1 200 OK\r\n\r\n';
export const tunnelFailed = answerText({
  status: 502,
  headers: ['l5d-proxy-error', 'connect'],
  body: 'no connection to the CONNECT target\n',
  isHead: false,
  close: true,
  keepAlive: false,
});
