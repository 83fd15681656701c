/** A service calls another over its own sidecar, which finds the destination by the Host header. */
import { Agent, request } from 'node:http';

export interface Answer {
  status: number;
  body: string;
}

const maxBodyBytes = 256 * 1024;

export class Peers {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });
  readonly #route: (service: string) => { host: string; port: number };
  readonly #namespace: string;

  /** `outbound` is the sidecar's `host:port`; without a mesh, `direct` has the address of each service. */
  constructor(
    namespace: string,
    way: { outbound: string } | { direct: Readonly<Record<string, string>> },
  ) {
    this.#namespace = namespace;
    this.#route = (service) => {
      const address = 'outbound' in way ? way.outbound : way.direct[service];
      if (address === undefined) throw new Error(`no way to ${service}`);
      const at = address.lastIndexOf(':');
      return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    };
  }

  /** Resolves to an answer of any status; 0 if no answer came within `timeoutMs`. */
  call(
    service: string,
    options: {
      method: string;
      path: string;
      headers?: Record<string, string>;
      body?: string;
      timeoutMs: number;
    },
  ): Promise<Answer> {
    return new Promise((resolve) => {
      const { host, port } = this.#route(service);
      const outgoing = request({
        host,
        port,
        method: options.method,
        path: options.path,
        agent: this.#agent,
        timeout: options.timeoutMs,
        headers: {
          host: `${service}.${this.#namespace}`,
          ...options.headers,
          ...(options.body !== undefined && {
            'content-length': String(Buffer.byteLength(options.body)),
          }),
        },
      });
      const fail = (): void => resolve({ status: 0, body: '' });
      const deadline = setTimeout(() => outgoing.destroy(), options.timeoutMs);
      outgoing.on('close', () => clearTimeout(deadline));
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', fail);
      outgoing.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          if (body.length < maxBodyBytes) body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', fail).on('close', fail);
      });
      outgoing.end(options.body);
    });
  }
}
