/** Iptables rules that send a pod's TCP traffic through its proxy. */
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { putRules } from '../../../base/iptables.js';
import { relayAddress } from '../../proxy/relay-address.js';
import { parsePorts, ports } from '../annotations.js';

/** The user id of the proxy, whose own traffic is not redirected. */
export const proxyUserId = 2102;

export interface Redirection {
  inboundPort: number;
  outboundPort: number;
  /** Traffic of this user is not redirected, otherwise the proxy would send to itself. */
  proxyUserId: number;
  skipInbound: readonly number[];
  skipOutbound: readonly number[];
}

const inboundChain = 'FIREDRILL_INBOUND';
const outboundChain = 'FIREDRILL_OUTBOUND';
const jumps = [
  { from: 'PREROUTING', to: inboundChain },
  { from: 'OUTPUT', to: outboundChain },
] as const;

/**
 * Input for `iptables-restore --noflush`: one transaction, and only our own chains, so that a second run changes
 * nothing. `jumped` are the chains with an existing jump. IPv6 is not redirected: the proxy listens on IPv4.
 */
export function redirectRules(r: Redirection, jumped: ReadonlySet<string> = new Set()): string {
  const skip = (chain: string, skipped: readonly number[]): string[] =>
    ranges(skipped).map((range) => `-A ${chain} -p tcp --dport ${range} -j RETURN`);
  return [
    '*nat',
    `:${inboundChain} - [0:0]`,
    `:${outboundChain} - [0:0]`,
    ...skip(inboundChain, r.skipInbound),
    `-A ${inboundChain} -p tcp -j REDIRECT --to-ports ${r.inboundPort}`,
    // The inbound side's connection to the app, by the address that the app listens on.
    `-A ${outboundChain} -s ${relayAddress}/32 -o lo -j RETURN`,
    // The pod is an endpoint of the Service that it calls: the connection comes in like any peer's.
    `-A ${outboundChain} -p tcp -o lo ! -d 127.0.0.0/8 -m owner --uid-owner ${r.proxyUserId} -j ${inboundChain}`,
    `-A ${outboundChain} -m owner --uid-owner ${r.proxyUserId} -j RETURN`,
    // Containers of one pod call each other without a proxy.
    `-A ${outboundChain} -o lo -j RETURN`,
    ...skip(outboundChain, r.skipOutbound),
    `-A ${outboundChain} -p tcp -j REDIRECT --to-ports ${r.outboundPort}`,
    ...jumps
      .filter(({ to }) => !jumped.has(to))
      .map(({ from, to }) => `-A ${from} -p tcp -j ${to}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** `25`, `8000:8010`: adjacent ports as one rule. */
function ranges(list: readonly number[]): string[] {
  const made: [number, number][] = [];
  for (const port of [...new Set(list)].sort((a, b) => a - b)) {
    const last = made.at(-1);
    if (last && last[1] === port - 1) last[1] = port;
    else made.push([port, port]);
  }
  return made.map(([from, to]) => (from === to ? String(from) : `${from}:${to}`));
}

/** `within`: the words before each command, such as those of nsenter. Throws a UserError if no iptables accepts it. */
export function applyRedirection(redirection: Redirection, within: readonly string[] = []): void {
  try {
    putRules((holds) => {
      const jumped = jumps.filter(({ from, to }) =>
        holds(['-t', 'nat', '-C', from, '-p', 'tcp', '-j', to]),
      );
      return redirectRules(redirection, new Set(jumped.map(({ to }) => to)));
    }, within);
  } catch (error) {
    throw new UserError(
      {
        message: `the redirection could not be set up: ${messageOf(error)}`,
        expected: 'iptables in the image, NET_ADMIN and NET_RAW; or the annotation mode: explicit',
      },
      exitCode.environment,
    );
  }
}

/** Texts of options; the defaults are the injector's. */
export interface RedirectionFlags {
  inboundPort?: string | undefined;
  outboundPort?: string | undefined;
  proxyUid?: string | undefined;
  skipInboundPorts?: string | undefined;
  skipOutboundPorts?: string | undefined;
}

/** Throws a UserError if an option is invalid. */
export function redirectionOf(flags: RedirectionFlags): Redirection {
  const { inboundPort, outboundPort, proxyUid, skipInboundPorts, skipOutboundPorts } = flags;
  return {
    inboundPort: whole(inboundPort ?? String(ports.inbound), '--inbound-port', 65535),
    outboundPort: whole(outboundPort ?? String(ports.outbound), '--outbound-port', 65535),
    proxyUserId: whole(proxyUid ?? String(proxyUserId), '--proxy-uid', 2 ** 31),
    skipInbound: portList(skipInboundPorts ?? String(ports.admin), '--skip-inbound-ports'),
    skipOutbound: portList(skipOutboundPorts ?? '', '--skip-outbound-ports'),
  };
}

function whole(text: string, flag: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new UserError({ message: `${flag} ${text}`, expected: `a number from 1 to ${max}` });
  }
  return value;
}

function portList(text: string, flag: string): number[] {
  const list = parsePorts(text);
  if (!list) throw new UserError({ message: `${flag} ${text}`, expected: 'such as 25,8000-8010' });
  return list;
}
