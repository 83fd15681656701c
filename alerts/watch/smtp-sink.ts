/** A mail server that receives Alertmanager's mails and delivers none. */
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Mail {
  /** Recipients of the envelope. */
  to: string[];
  /** Headers by lower-case name; folded lines are joined. */
  headers: Record<string, string>;
}

const messageMaxBytes = 8 * 1024 * 1024;
const commandMaxBytes = 4096;
const recipientsMax = 1000;
const idleMs = 30_000;
const connectionsMax = 64;

export class SmtpSink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(take: (mail: Mail) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      serve(socket, take);
    });
    this.#server.maxConnections = connectionsMax;
  }

  /** `127.0.0.1:2525` */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function serve(socket: Socket, take: (mail: Mail) => void): void {
  let pending = Buffer.alloc(0);
  let to: string[] = [];
  let inMessage = false;
  const say = (line: string): void => void socket.write(`${line}\r\n`);

  const command = (line: string): void => {
    const verb = /^[a-z]+/i.exec(line)?.[0].toUpperCase();
    if (verb === 'EHLO' || verb === 'HELO') say('250 firedrill');
    else if (verb === 'MAIL') {
      to = [];
      say('250 OK');
    } else if (verb === 'RCPT') {
      const address = /<([^>]*)>/.exec(line)?.[1];
      if (address !== undefined && to.length < recipientsMax) to.push(address);
      say(address === undefined ? '501 an address is expected' : '250 OK');
    } else if (verb === 'DATA') {
      inMessage = true;
      say('354 end with a dot');
    } else if (verb === 'QUIT') {
      say('221 bye');
      socket.end();
    } else if (verb === 'RSET' || verb === 'NOOP') say('250 OK');
    else say('502 not spoken here');
  };

  const message = (bytes: Buffer): void => {
    take({ to, headers: headersOf(bytes.toString('utf8')) });
    to = [];
    inMessage = false;
    say('250 OK');
  };

  /** Takes one command or one message from the front; false if more input is needed. */
  const step = (): boolean => {
    const end = pending.indexOf(inMessage ? '\r\n.\r\n' : '\r\n');
    if (end < 0) return false;
    const taken = pending.subarray(0, end);
    pending = pending.subarray(end + (inMessage ? 5 : 2));
    if (inMessage) message(taken);
    else command(taken.toString('utf8'));
    return true;
  };

  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (!socket.writableEnded && step());
    if (pending.length > (inMessage ? messageMaxBytes : commandMaxBytes)) {
      say('552 too long');
      socket.destroy();
    }
  });
  say('220 firedrill');
}

function headersOf(message: string): Record<string, string> {
  const end = message.indexOf('\r\n\r\n');
  const head = end < 0 ? message : message.slice(0, end);
  const headers: Record<string, string> = {};
  for (const line of head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}
