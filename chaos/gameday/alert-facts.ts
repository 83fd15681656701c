/** Facts for the runbook of an alert, looked up while it fires: the proxy, the certificate, the start. */
import type { Watch } from '../../alerts/watch/index.js';
import { messageOf } from '../../base/errors.js';
import { factsOfAlert } from '../../runbooks/facts.js';
import type { Firing, RunbookAnswer, RunbookFact } from '../../runbooks/record.js';
import { queriesOf, renderRunbook } from '../../runbooks/render.js';
import { askJson } from '../system/ask.js';
import type { System, WorkloadDescription } from '../system/model.js';

export async function factsFor(
  firing: Firing,
  system: System,
  watch: Watch,
): Promise<RunbookFact[]> {
  const facts: RunbookFact[] = [];
  for (const workload of concerned(firing, system).slice(0, 3)) {
    const admin = system.proxyAdmin(workload);
    if (admin === undefined) continue;
    facts.push({
      name: `proxy of ${workload.name}`,
      value: `${workload.identity ?? 'no identity'}, admin port ${workload.ports.proxyAdmin}`,
      command: `curl -s ${admin}/endpoints`,
    });
  }
  const certificates = await certificatesLeft(watch);
  const worst = certificates[0];
  if (worst) {
    const left = worst.seconds;
    const value =
      left < 0
        ? `${worst.workload} expired ${(-left).toFixed(1)} s ago`
        : `${worst.workload} has ${left.toFixed(1)} s left`;
    facts.push({ name: 'certificate that runs out first', value });
  }
  if (system.controllerAdmin === undefined) return facts;
  try {
    const proxies = await askJson<unknown[]>(`${system.controllerAdmin}/proxies`, {
      timeoutMs: 1000,
    });
    facts.push({
      name: 'controller',
      value: `answers, ${proxies.length} proxies connected`,
      command: `curl -s ${system.controllerAdmin}/proxies`,
    });
  } catch (error) {
    facts.push({ name: 'controller', value: messageOf(error) });
  }
  return facts;
}

/** Maximum number of queries per page, and of series per answer. */
const queriesMax = 24;
const seriesMax = 10;

/**
 * Runs the queries of the alert's runbook while it fires: otherwise nobody would notice a page whose queries return
 * nothing during the very incident that it describes.
 */
export async function answersFor(
  firing: Firing,
  watch: Watch,
  window: string,
): Promise<Record<string, RunbookAnswer[] | null>> {
  const { labels, annotations } = firing;
  const page = renderRunbook(firing.name, { ...factsOfAlert({ labels, annotations }), window });
  const answers: Record<string, RunbookAnswer[] | null> = {};
  for (const query of queriesOf(page ?? '').slice(0, queriesMax)) {
    const samples = await watch.query(query).catch(() => undefined);
    answers[query] =
      samples?.slice(0, seriesMax).map(({ labels: own, value }) => ({ labels: own, value })) ??
      null;
  }
  return answers;
}

/** Workloads that the alert's labels name: its instance, or the callee and its callers. */
function concerned(firing: Firing, system: System): WorkloadDescription[] {
  const { instance, dst, service } = firing.labels;
  const { workloads } = system.description;
  if (instance !== undefined) {
    return workloads.filter((w) => instance.endsWith(`:${w.ports.proxyAdmin}`));
  }
  const name = dst?.split('.')[0] ?? service;
  const callees = workloads.filter((w) => w.service === name);
  const callers = workloads.filter((w) => w.calls.includes(name ?? ''));
  return [...callees, ...callers];
}

async function certificatesLeft(watch: Watch): Promise<{ workload: string; seconds: number }[]> {
  const query = 'sort(identity_cert_expiration_timestamp_seconds - time())';
  const samples = await watch.query(query).catch(() => []);
  return samples
    .map((s) => ({
      workload: s.labels.workload ?? s.labels.instance ?? 'a proxy',
      seconds: s.value,
    }))
    .sort((a, b) => a.seconds - b.seconds);
}
