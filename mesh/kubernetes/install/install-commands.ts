/** `install`, `upgrade`, `uninstall`: manifests on standard output, or applied to the cluster. */
import type { Command } from 'commander';
import { exitCode, UserError } from '../../../base/errors.js';
import { parseDurationMs } from '../../../base/duration.js';
import type { AnyObject } from '../client/objects.js';
import type { MonitoringParts } from './monitoring.js';
import { eachWhole } from '../../../base/choice-option.js';

interface Options {
  ha?: boolean;
  values?: string[];
  set?: string[];
  apply?: boolean;
  wait?: string | boolean;
  outputHelm?: string;
  outputPrometheus?: string;
  revision?: string;
  kubeconfig?: string;
  context?: string;
  ignoreCrds?: boolean;
}

function shared(command: Command): Command {
  return command
    .option('--values <file>', 'values in YAML; may be repeated', eachWhole)
    .option(
      '--set <name=value>',
      'one value, such as controller.replicas=2; may be repeated',
      eachWhole,
    )
    .option('--ha', 'three replicas, disruption budgets, pods wait for the injector')
    .option('--apply', 'apply to the cluster (server-side apply) instead of printing')
    .option('--wait <duration>', 'with --apply: wait until it works', '2m')
    .option('--no-wait', 'with --apply: do not wait')
    .option('--revision <name>', 'a second controller beside the first, for a canary upgrade')
    .option('--ignore-crds', 'leave the custom resource definitions out')
    .option('--kubeconfig <file>', "default: $KUBECONFIG, ~/.kube/config, or the pod's own account")
    .option('--context <name>', 'context of the kubeconfig');
}

/** Later folders make rules and dashboards, so the builder of the command line passes them in. */
export type LoadMonitoring = () => Promise<MonitoringParts>;

export function registerInstall(program: Command, monitoring: LoadMonitoring): void {
  shared(program.command('install'))
    .description('Install the control plane: print its manifests, or --apply them')
    .option('--output-helm <folder>', 'write the Helm chart instead')
    .option(
      '--output-prometheus <folder>',
      'write a scrape configuration, rules and dashboards for a plain Prometheus and Grafana instead',
    )
    .addHelpText(
      'after',
      `
Examples:
  firedrill install | kubectl apply --server-side -f -
  firedrill install --ha --set trustDomain=retail.local --apply
  firedrill install --output-helm charts/firedrill
  firedrill install --set monitoring.operator=true --set monitoring.release=kube-prometheus-stack --apply
  firedrill install --output-prometheus monitoring/    # scrape.yaml, mesh-alerts.yaml, dashboards/*.json`,
    )
    .action((options: Options) => run(options, false, monitoring));
  shared(program.command('upgrade'))
    .description(
      'Upgrade the control plane with its installed values; --apply also prunes old objects',
    )
    .addHelpText(
      'after',
      `
Examples:
  firedrill upgrade --apply
  firedrill upgrade --revision canary --apply
  kubectl annotate namespace retail mesh.firedrill.dev/revision=canary   # its new pods follow the canary`,
    )
    .action((options: Options) => run(options, true, monitoring));
  program
    .command('uninstall')
    .description('Print the installed objects for kubectl delete -f -, or delete them with --apply')
    .option('--apply', 'delete instead of printing')
    .option('-n, --namespace <name>', "the control plane's", 'firedrill')
    .option('--force', "although pods lose their control plane, and users' policies and routes go")
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill uninstall | kubectl delete -f -\n  firedrill uninstall --apply',
    )
    .action(uninstall);
}

const say = (r: { kind: string; name: string; done: string }): void =>
  void process.stdout.write(`${r.kind.toLowerCase()}/${r.name} ${r.done}\n`);

async function run(options: Options, upgrade: boolean, monitoring: LoadMonitoring): Promise<void> {
  const { readValues } = await import('./values.js');
  const { manifests } = await import('./manifests.js');
  const { yamlDocuments } = await import('../../../base/yaml-text.js');
  const withinMs = waitMs(options.wait);
  if (options.outputHelm) {
    const { writeChart } = await import('./helm.js');
    for (const file of writeChart(options.outputHelm, await monitoring()))
      process.stdout.write(`${file}\n`);
    return;
  }
  if (options.outputPrometheus) {
    const { writePrometheusFiles } = await import('./monitoring.js');
    const files = writePrometheusFiles(
      options.outputPrometheus,
      readValues(options),
      await monitoring(),
    );
    for (const file of files) process.stdout.write(`${file}\n`);
    return;
  }
  const connect = async () => {
    const { KubeApi } = await import('../client/api.js');
    const { findCredentials } = await import('../client/credentials.js');
    return new KubeApi(await findCredentials(options));
  };
  const api = options.apply || upgrade ? await connect() : undefined;
  const { storedValues, withStoredValues } = await import('./stored-values.js');
  const stored = upgrade && api ? await storedValues(api) : undefined;
  if (upgrade && !stored) {
    throw new UserError(
      'nothing to upgrade: firedrill is not installed in this cluster',
      exitCode.failed,
    );
  }
  const values = readValues({ ...options, stored });
  const revision = options.revision ?? '';
  const enabled = (when: string | undefined): boolean =>
    when === undefined ||
    (when
      .split('.')
      .reduce<unknown>((v, k) => (v as Record<string, unknown>)[k], values) as boolean);
  const objects = withStoredValues(
    manifests(values, revision, await monitoring())
      .filter((m) => enabled(m.when))
      .map((m) => m.object)
      .filter((o) => !options.ignoreCrds || o.kind !== 'CustomResourceDefinition'),
    values,
    revision,
  );
  if (!options.apply || !api) {
    process.stdout.write(yamlDocuments(objects));
    return;
  }
  const { applyAll, prune, waitAvailable, withoutForeign } = await import('./apply.js');
  const ours = await withoutForeign(api, objects, (line) => void process.stdout.write(`${line}\n`));
  await applyAll(api, ours, say);
  if (upgrade && revision === '') await prune(api, objects, values.namespace, say);
  if (withinMs !== undefined) {
    const unproven = await waitAvailable(api, objects, withinMs);
    if (unproven !== undefined)
      process.stderr.write(
        `available; whether pods are injected could not be tried: ${unproven}\n`,
      );
  }
  api.close();
}

/** Undefined: it does not wait. */
function waitMs(wait: string | boolean | undefined): number | undefined {
  if (!wait) return undefined;
  const ms = parseDurationMs(wait === true ? '2m' : wait);
  if (ms !== undefined) return ms;
  throw new UserError({ message: `--wait ${wait}`, expected: 'a duration such as 2m' });
}

async function uninstall(options: {
  apply?: boolean;
  force?: boolean;
  namespace: string;
  kubeconfig?: string;
  context?: string;
}): Promise<void> {
  const { KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const { installedObjects, meshedPods, removeAll, usersObjects, whyKept } =
    await import('./apply.js');
  const { yamlDocuments } = await import('../../../base/yaml-text.js');
  const api = new KubeApi(await findCredentials(options));
  const { namespace } = options;
  const found = await installedObjects(api, namespace);
  if (found.length === 0) {
    const message = `nothing to uninstall: no installation is in namespace ${namespace}`;
    throw new UserError({ message, expected: 'its namespace, with -n' }, exitCode.failed);
  }
  if (options.apply && !options.force) {
    refuse(
      await meshedPods(api),
      'pods have proxies',
      'take the annotations away and restart them first',
    );
    refuse(
      await usersObjects(api),
      'these would be deleted, too',
      'kubectl get them -o yaml first',
    );
  }
  if (options.apply) await removeAll(api, namespace, say);
  else {
    const objects: AnyObject[] = [];
    for (const object of found) {
      const why = await whyKept(api, object);
      if (why === undefined) objects.push(object);
      else process.stderr.write(`namespace/${object.metadata.name} left out: ${why}\n`);
    }
    const bare = objects.map(({ apiVersion, kind, metadata: { name, namespace } }) => ({
      apiVersion,
      kind,
      metadata: namespace ? { name, namespace } : { name },
    }));
    process.stdout.write(yamlDocuments(bare));
  }
  api.close();
}

function refuse(names: readonly string[], problem: string, instead: string): void {
  if (names.length === 0) return;
  const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
  const message = `${problem}: ${names.slice(0, 5).join(', ')}${more}`;
  throw new UserError({ message, expected: `${instead}, or --force` }, exitCode.failed);
}
