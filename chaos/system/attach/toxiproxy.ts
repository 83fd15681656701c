/** Faults at a toxiproxy, by its HTTP API: the toxics of each fault, their undo, and their effect. */
import { connect } from 'node:net';
import { boundedText } from '../../../base/bounded-answer.js';
import { messageOf, UserError } from '../../../base/errors.js';
import { leaseName, runUndo, type Undo, undoFor } from '../../faults/undo.js';
import { checkedRelayFault, type RelayFault } from '../../relay/relay-fault.js';
import { askJson } from '../ask.js';

/**
 * The faults of scenarios that a toxiproxy supports, each with the relay's kind that it becomes. A toxiproxy cannot
 * refuse new connections and keep open ones.
 */
const toxics = {
  latency: 'latency',
  bandwidth: 'bandwidth',
  cut: 'cut',
  silence: 'blackhole',
} as const;
export const toxicFaults = Object.keys(toxics);
export const toxicKinds = Object.values(toxics);

interface Toxic {
  name: string;
  type: string;
  stream: 'upstream' | 'downstream';
  toxicity: number;
  attributes: Record<string, number>;
}

interface Proxy {
  listen: string;
  enabled: boolean;
  toxics: { name: string }[];
}

export class Toxiproxy {
  readonly url: string;
  readonly proxy: string;

  constructor(url: string, proxy: string) {
    this.url = url.replace(/\/+$/, '');
    this.proxy = proxy;
  }

  get #at(): string {
    return `${this.url}/proxies/${encodeURIComponent(this.proxy)}`;
  }

  /** The undo of a lease of any kind, for any reader of the journal: missing toxics are skipped. */
  get undo(): Extract<Undo, { kind: 'requests' }> {
    return {
      kind: 'requests',
      requests: [
        { method: 'DELETE', url: `${this.#at}/toxics/${leaseName}-up` },
        { method: 'DELETE', url: `${this.#at}/toxics/${leaseName}-down` },
        { method: 'POST', url: this.#at, body: { enabled: true } },
      ],
    };
  }

  /** Rolls one fault back and keeps the others. */
  async takeBack(fault: RelayFault, id: string, others: readonly RelayFault[]): Promise<void> {
    const { requests } = this.undo;
    const isCut = fault.kind === 'cut';
    if (isCut && others.some((f) => f.kind === 'cut')) return;
    const own = requests.filter(({ method }) => (method === 'POST') === isCut);
    await runUndo(undoFor({ kind: 'requests', requests: own }, id), id);
  }

  /**
   * The reason why the fault is no longer there, such as a toxiproxy that started again; undefined if it is. Never
   * throws.
   */
  async lost(fault: RelayFault, id: string): Promise<string | undefined> {
    let found: Proxy;
    try {
      found = await askJson<Proxy>(this.#at);
    } catch (error) {
      return messageOf(error);
    }
    const at = `the proxy ${this.proxy} of the toxiproxy at ${this.url}`;
    if (fault.kind === 'cut')
      return found.enabled ? `${at} was enabled by somebody else` : undefined;
    const names = found.toxics.map(({ name }) => name);
    const own = toxicsOf(fault, encodeURIComponent(id)).map(({ name }) => name);
    const lost = own.filter((name) => !names.includes(name));
    return lost.length === 0 ? undefined : `${at} has no ${lost.join(', ')} any more`;
  }

  /** Throws if the proxy does not exist, or if it is down already. */
  async check(): Promise<void> {
    const { enabled } = await askJson<Proxy>(this.#at);
    if (!enabled) throw new UserError(`the proxy ${this.proxy} at ${this.url} is disabled already`);
  }

  /** Whether the toxiproxy reports the bytes of each proxy (`-proxy-metrics`). */
  async counts(): Promise<boolean> {
    return (await this.bytes()) !== undefined;
  }

  /** Bytes received for this proxy so far, in both directions; undefined if they are not counted. */
  async bytes(): Promise<number | undefined> {
    // Without -proxy-metrics the path does not exist; before the first connection it has no series.
    const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(5000) });
    if (!response.ok) return undefined;
    const text = (await boundedText(response)).slice(0, 4_000_000);
    const lines = text
      .split('\n')
      .filter((l) => l.startsWith('toxiproxy_proxy_received_bytes_total{'));
    const own = lines.filter((l) => l.includes(`proxy=${JSON.stringify(this.proxy)}`));
    return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async put(value: unknown, id: string): Promise<RelayFault> {
    const fault = checkedRelayFault(value);
    if (fault.kind === 'cut') {
      if (fault.ratio < 1) {
        const message = 'a toxiproxy cuts every connection or none';
        throw new UserError({ message, expected: 'ratio: 1, and no ramp' });
      }
      await askJson(this.#at, { method: 'POST', body: { enabled: false } });
      return fault;
    }
    for (const body of toxicsOf(fault, encodeURIComponent(id))) {
      await askJson(`${this.#at}/toxics`, { method: 'POST', body });
    }
    return fault;
  }

  /** Gives the fault's toxics other settings: a ramp. */
  async change(fault: RelayFault, id: string): Promise<void> {
    if (fault.kind === 'cut') return;
    for (const { name, toxicity, attributes } of toxicsOf(fault, encodeURIComponent(id))) {
      await askJson(`${this.#at}/toxics/${name}`, {
        method: 'POST',
        body: { toxicity, attributes },
      });
    }
  }

  /** Whether its listening address refuses connections. */
  async isDown(): Promise<boolean> {
    const { listen } = await askJson<Proxy>(this.#at);
    const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
    const own = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    const host = own === '' || own === '::' || own === '0.0.0.0' ? new URL(this.url).hostname : own;
    return new Promise((resolve) => {
      const socket = connect({ port, host, timeout: 1000 });
      const end = (down: boolean): void => {
        socket.destroy();
        resolve(down);
      };
      socket.on('connect', () => end(false)).on('timeout', () => end(false));
      socket.on('error', () => end(true));
    });
  }
}

/** `name` is the lease's; each stream has its own toxic. */
function toxicsOf(fault: RelayFault, name: string): Toxic[] {
  const one = (
    stream: Toxic['stream'],
    type: string,
    attributes: Record<string, number>,
  ): Toxic => ({
    name: `${name}-${stream === 'upstream' ? 'up' : 'down'}`,
    type,
    stream,
    toxicity: fault.ratio,
    attributes,
  });
  const both = (type: string, attributes: Record<string, number>): Toxic[] => [
    one('upstream', type, attributes),
    one('downstream', type, attributes),
  ];
  switch (fault.kind) {
    case 'latency': {
      const { latencyMs, jitterMs = 0 } = fault;
      return [one('downstream', 'latency', { latency: latencyMs, jitter: jitterMs })];
    }
    case 'bandwidth': {
      // A toxiproxy counts in kilobytes per second.
      const rate = Math.max(1, Math.round(fault.bytesPerSecond / 1000));
      return both('bandwidth', { rate });
    }
    case 'blackhole':
      return both('timeout', { timeout: 0 });
    default:
      throw new UserError({
        message: `a toxiproxy has no fault ${fault.kind}`,
        expected: toxicKinds.join(', '),
      });
  }
}
