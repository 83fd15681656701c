/**
 * `firedrill version`: the versions of this command, of the control plane, and of the running proxies, through the API
 * server.
 */
import type { Command } from 'commander';
import { packageVersion } from '../../../base/paths.js';
import { messageOf } from '../../../base/errors.js';
import type { CredentialOptions } from '../client/credentials.js';
import type { AnyObject } from '../client/objects.js';
import type { Pod } from '../discovery/types.js';
import { formatOption } from '../../../base/format-option.js';

interface Flags extends CredentialOptions {
  client?: boolean;
  namespace?: string;
  controlNamespace: string;
  format: string;
}

type Deployment = AnyObject & {
  spec?: { template?: { spec?: { containers?: { image?: string }[] } } };
};

export interface Versions {
  client: string;
  kubernetes?: string;
  /** By Deployment: the image's tag. */
  controlPlane?: Record<string, string>;
  /** By version: the number of pods with a proxy of that version. */
  proxies?: Record<string, number>;
  /** By field: the reason why it could not be asked for. */
  unknown?: Record<string, string>;
}

export function registerVersion(program: Command): void {
  program
    .command('version')
    .description('Show the versions of the command, the control plane, and the proxies')
    .option('--client', 'print the version of this command alone; ask no server')
    .option('-n, --namespace <name>', 'count the proxies of these pods; default: all')
    .option('--control-namespace <name>', "the control plane's", 'firedrill')
    .addOption(formatOption('text', 'json'))
    .option('--kubeconfig <file>', 'default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .addHelpText(
      'after',
      '\nExamples:\n  firedrill version\n  firedrill version -n shop --format json\n  firedrill version --client',
    )
    .action(async (flags: Flags) => {
      const client = packageVersion();
      const versions: Versions = flags.client
        ? { client }
        : { client, ...(await inCluster(flags)) };
      const text =
        flags.format === 'json' ? JSON.stringify(versions, undefined, 2) : textOf(versions);
      process.stdout.write(`${text}\n`);
    });
}

async function inCluster(flags: Flags): Promise<Omit<Versions, 'client'>> {
  const { isStatus, KubeApi } = await import('../client/api.js');
  const { findCredentials } = await import('../client/credentials.js');
  const { resources } = await import('../client/objects.js');
  const { hasEnded, isMeshed } = await import('../discovery/workload.js');
  const { annotations, labels } = await import('../annotations.js');
  const { tagOf } = await import('../install/names.js');
  const api = new KubeApi(await findCredentials(flags));
  try {
    const { gitVersion } = (await api.call('GET', '/version')) as { gitVersion: string };
    const controlPlane: Record<string, string> = {};
    const unknown: Record<string, string> = {};
    // A right to the pods of one namespace is no right to the control plane's or to all pods.
    const seen = <T>(what: string, list: Promise<{ items: T[] }>): Promise<{ items: T[] }> =>
      list.catch((error: unknown) => {
        if (!isStatus(error, 403)) throw error;
        unknown[what] = messageOf(error);
        return { items: [] };
      });
    const parts = await seen(
      'controlPlane',
      api.list<Deployment>(resources.Deployment, {
        namespace: flags.controlNamespace,
        labelSelector: `${labels.installation}=${flags.controlNamespace}`,
      }),
    );
    for (const { metadata, spec } of parts.items) {
      controlPlane[metadata.name] =
        tagOf(spec?.template?.spec?.containers?.[0]?.image ?? '') || 'unknown';
    }
    const proxies: Record<string, number> = {};
    const pods = await seen(
      'proxies',
      api.list<Pod>(resources.Pod, { namespace: flags.namespace }),
    );
    for (const pod of pods.items.filter((p) => isMeshed(p) && !hasEnded(p))) {
      const version = pod.metadata.annotations?.[annotations.proxyVersion] ?? 'unknown';
      proxies[version] = (proxies[version] ?? 0) + 1;
    }
    return {
      kubernetes: gitVersion,
      controlPlane,
      proxies,
      ...(Object.keys(unknown).length > 0 ? { unknown } : {}),
    };
  } finally {
    api.close();
  }
}

function textOf({ client, kubernetes, controlPlane, proxies, unknown = {} }: Versions): string {
  if (kubernetes === undefined || !controlPlane || !proxies) return `client: ${client}`;
  const parts = Object.entries(controlPlane).map(([name, version]) => `${name}: ${version}`);
  const counts = Object.entries(proxies).map(([version, n]) => `${version} (${n})`);
  return [
    `client: ${client}`,
    `kubernetes: ${kubernetes}`,
    ...(parts.length > 0 ? parts : [`control plane: ${unknown.controlPlane ?? 'not installed'}`]),
    `proxies: ${counts.join(', ') || (unknown.proxies ?? 'none')}`,
  ].join('\n');
}
