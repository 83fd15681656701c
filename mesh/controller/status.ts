/** Formats a running controller's status for people. */
import { formatTable } from '../../base/terminal.js';

export interface State {
  version: number;
  trustDomain: string;
  leading: boolean;
  issuer?: { hash: string; subject: string; notAfter: string };
  anchors: { hash: string; subject: string; notAfter: string }[];
  problems: Record<string, string[]>;
  destinations: unknown[];
}

export interface Proxy {
  workload: string;
  namespace: string;
  identity: string;
  owed: number;
  refused: number;
  bundleCurrent: boolean;
  clockSkewSeconds: number;
  lastError?: string;
}

export function formatStatus(stateValue: unknown, proxiesValue: unknown): string {
  const state = stateValue as State;
  const proxies = proxiesValue as Proxy[];
  const lines = [
    `trust domain  ${state.trustDomain}`,
    `version       ${state.version}${state.leading ? ' (leading)' : ''}`,
    `issuer        ${state.issuer?.hash.slice(0, 16) ?? 'none'} until ${state.issuer?.notAfter ?? '-'}`,
    ...state.anchors.map((a) => `anchor        ${a.hash.slice(0, 16)} until ${a.notAfter}`),
    `destinations  ${state.destinations.length}`,
    ...Object.entries(state.problems).flatMap(([source, list]) =>
      list.map((message) => `problem       ${source}: ${message}`),
    ),
    '',
    formatTable(
      ['WORKLOAD', 'NAMESPACE', 'IDENTITY', 'OWED', 'REFUSED', 'BUNDLE', 'CLOCK_SKEW'],
      proxies.map((p) => [
        p.workload,
        p.namespace,
        p.identity,
        String(p.owed),
        String(p.refused),
        p.bundleCurrent ? 'current' : 'old',
        `${p.clockSkewSeconds.toFixed(3)}s`,
      ]),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
