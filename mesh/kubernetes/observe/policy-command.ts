/** `firedrill policy`: the allowed callers, and the observed traffic that another policy would have denied. */
import { exitCode, UserError } from '../../../base/errors.js';
import { formatTable } from '../../../base/terminal.js';
import type { InboundServer } from '../../model.js';
import { type AuditRow, auditPolicy, type PolicyOf } from './policy-audit.js';
import { workloadOf } from './rows.js';
import { type Observed, observeAll, type TargetOptions } from './targets.js';
import { isPolicy } from '../annotations.js';
import { accessPolicies } from '../../schema/choices.js';

export interface PolicyOptions extends TargetOptions {
  default?: string;
  registry?: string;
  trustDomain: string;
  format: string;
}

async function look(options: PolicyOptions): Promise<Observed[]> {
  return observeAll(options, 0);
}

/** The policy in force at each proxy. */
export async function showPolicy(options: PolicyOptions): Promise<void> {
  const each = (await look(options)).flatMap((p) =>
    (p.config.state?.servers ?? []).map((s) => ({
      workload: workloadOf(p),
      server: s.name,
      port: s.port,
      default: s.defaultPolicy,
      authorizations: s.authorizations.map((a) => ({
        name: a.name,
        routes: a.routes ?? [],
        who: whoOf(a),
      })),
    })),
  );
  // Replicas have one policy; a row of its own shows one that differs.
  const rows = [...new Map(each.map((row) => [JSON.stringify(row), row])).values()];
  if (options.format === 'json') return print(JSON.stringify(rows, undefined, 2));
  const lines = rows.flatMap((r) => [
    [r.workload, r.server, String(r.port), r.default, '', ''],
    ...r.authorizations.map((a) => [
      '',
      '',
      '',
      '',
      a.name,
      `${a.routes.join(',')} ${a.who}`.trim(),
    ]),
  ]);
  print(formatTable(['WORKLOAD', 'SERVER', 'PORT', 'DEFAULT', 'AUTHORIZATION', 'LETS IN'], lines));
}

function whoOf(a: InboundServer['authorizations'][number]): string {
  const who = [...a.identities, ...(a.unauthenticated ? ['anybody'] : [])].join(', ') || 'nobody';
  return a.networks ? `${who} from ${a.networks.join(', ')}` : who;
}

/** Exit code 1 if traffic that is allowed now would be denied. */
export async function audit(options: PolicyOptions): Promise<void> {
  const policyOf = await proposed(options);
  const rows = auditPolicy(await look(options), policyOf);
  const lost = rows.filter((r) => r.now === 'allowed' && r.would !== 'allowed');
  if (options.format === 'json') print(JSON.stringify({ rows, wouldBeDenied: lost }, undefined, 2));
  else if (rows.length === 0) print('no inbound traffic was seen');
  else print(`${tableOf(rows)}\n\n${verdictOf(lost)}`);
  if (lost.some((r) => r.would === 'denied')) process.exitCode = exitCode.failed;
  // Without traffic, or with clients whose network is not counted, nothing is known.
  else if (rows.length === 0 || lost.length > 0) process.exitCode = exitCode.inconclusive;
}

const tableOf = (rows: readonly AuditRow[]): string =>
  formatTable(
    ['WORKLOAD', 'SERVER', 'ROUTE', 'CLIENT', 'SEEN', 'NOW', 'THEN', 'BY'],
    rows.map((r) => [
      r.workload,
      r.server,
      r.route || '-',
      r.client || '(no identity)',
      String(r.seen),
      r.now,
      r.would === 'network' ? 'by network' : r.would,
      r.by,
    ]),
  );

function verdictOf(lost: readonly AuditRow[]): string {
  const denied = lost.filter((r) => r.would === 'denied').reduce((sum, r) => sum + r.seen, 0);
  const open = lost.filter((r) => r.would === 'network').length;
  const parts = [
    denied > 0
      ? `${denied} of what is let in now would be denied`
      : 'nothing that is let in now would be denied for certain',
  ];
  if (open > 0) parts.push(`${open} rows depend on the client's network, which is not counted`);
  return parts.join('; ');
}

/** Another default on the present servers, or the whole policy of a registry file. */
async function proposed(options: PolicyOptions): Promise<PolicyOf> {
  const { default: policy } = options;
  if (policy !== undefined && !isPolicy(policy)) {
    throw new UserError({
      message: `--default ${policy}`,
      expected: accessPolicies.join(', '),
    });
  }
  const withDefault = (servers: readonly InboundServer[]): InboundServer[] =>
    servers.map((s) => ({
      ...s,
      ...(policy !== undefined && { defaultPolicy: policy }),
    }));
  if (options.registry === undefined) return (p) => withDefault(p.config.state?.servers ?? []);
  const { compileRegistry } = await import('../../controller/registry/compile.js');
  const { readInput } = await import('../../../base/input.js');
  const text = readInput(options.registry);
  const { snapshot } = compileRegistry(options.registry, text, options.trustDomain);
  return ({ config: { workload } }) =>
    withDefault(
      snapshot.servers
        .filter((w) => w.namespace === workload.namespace)
        .filter((w) => w.workload === undefined || w.workload === workload.name)
        .filter((w) =>
          Object.entries(w.labels ?? {}).every(([key, v]) => workload.labels?.[key] === v),
        )
        .flatMap((w) => w.servers),
    );
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
