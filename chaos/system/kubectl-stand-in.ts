/**
 * `kubectl` for a runbook's commands, over a drilled system of processes: `get pods`, `delete pod NAME`,
 * `rollout restart|undo deploy/NAME ...`. A pod is a service and its sidecar; a restarted pod has its first description
 * again, like an undone rollout. Any other command is refused by name.
 */
import { messageOf } from '../../base/errors.js';
import { askJson } from './ask.js';
import type { SystemDescription, WorkloadDescription } from './model.js';

const supported = 'get pods, delete pod NAME, rollout restart|undo deploy/NAME ...';

async function main([admin = '', ...given]: string[]): Promise<void> {
  const words = given.filter(
    (word, i) => !/^(-n|--namespace)$/.test(given[i - 1] ?? '') && !word.startsWith('-'),
  );
  const system = await askJson<SystemDescription>(`${admin}/system`);
  const [verb, second = '', ...names] = words;
  const [third = ''] = names;
  if (verb === 'get' && /^pods?$/.test(second)) return list(system);
  if (verb === 'delete' && /^pods?$/.test(second))
    return restart(admin, podsOf(system, third, 'pod'));
  if (verb === 'rollout' && /^(restart|undo)$/.test(second) && names.length > 0) {
    const deployments = names.map((name) => name.replace(/^deploy(ment)?s?(\.apps)?\//, ''));
    // All pods are looked up before the first is touched.
    const pods = deployments.flatMap((name) => podsOf(system, name, 'deployment'));
    return restart(admin, pods);
  }
  throw new Error(
    `not there in a drill of processes: kubectl ${given.join(' ')}; expected ${supported}`,
  );
}

interface Pod {
  name: string;
  processes: string[];
}

const podOf = ({ name, proxy }: WorkloadDescription): Pod => ({
  name,
  processes: [name, ...(proxy === undefined ? [] : [proxy])],
});

function podsOf(
  { workloads, controller }: SystemDescription,
  name: string,
  kind: 'pod' | 'deployment',
): Pod[] {
  if (controller && ['controller', 'firedrill-controller'].includes(name)) {
    return [{ name: controller.process, processes: [controller.process] }];
  }
  const found = workloads.filter((w) => (kind === 'pod' ? w.name : w.service) === name);
  if (found.length === 0) throw new Error(`${kind} "${name}" not found`);
  return found.map(podOf);
}

/** Restarts one pod after the other. */
async function restart(admin: string, pods: readonly Pod[]): Promise<void> {
  for (const { name, processes } of pods) {
    for (const process of processes) {
      const url = `${admin}/restart/${encodeURIComponent(process)}`;
      await askJson(url, { method: 'POST', timeoutMs: 20_000 });
    }
    process.stdout.write(`${name} restarted\n`);
  }
}

function list({ workloads, processes, controller }: SystemDescription): void {
  const runs = (name: string): boolean => (processes.find((p) => p.name === name)?.pid ?? 0) > 0;
  const pods = [
    ...workloads.map(podOf),
    ...(controller ? [{ name: controller.process, processes: [controller.process] }] : []),
  ];
  process.stdout.write('NAME READY STATUS\n');
  for (const pod of pods) {
    const up = pod.processes.filter(runs).length;
    const all = pod.processes.length;
    process.stdout.write(`${pod.name} ${up}/${all} ${up === all ? 'Running' : 'Error'}\n`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
