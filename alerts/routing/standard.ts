/**
 * The library's routing, for a drill without its own: pages and tickets of every owner go to one receiver, with the
 * library's inhibition rules and Alertmanager's default times.
 */
import { compileRouting } from './compile.js';
import type { AmConfig } from './config.js';
import { readRoutingText } from './declaration.js';

const declaration = `apiVersion: firedrill.dev/v1
kind: AlertRouting
default: oncall
groupBy: [alertname, service]
severities:
  page: { wait: 30s, cooldown: 5m, repeat: 4h }
  ticket: { wait: 30s, cooldown: 5m, repeat: 4h }
teams:
  - name: oncall
    notify:
      page: [{ webhook: { url: 'http://127.0.0.1/page' } }]
      ticket: [{ webhook: { url: 'http://127.0.0.1/ticket' } }]
inhibit: { library: true }
`;

export const standardRouting = (): AmConfig =>
  compileRouting(readRoutingText('the standard routing', declaration));
