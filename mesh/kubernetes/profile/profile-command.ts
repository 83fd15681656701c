/** `firedrill profile` writes a ServiceProfile, so that users need not write regular expressions. */
import type { Command } from 'commander';
import { UserError } from '../../../base/errors.js';
import type { ProfileRoute } from './profile.js';

export function registerProfile(program: Command): void {
  program
    .command('profile')
    .description('Write the ServiceProfile of a service, from OpenAPI, .proto, or live traffic')
    .argument('<service>', 'its name')
    .option('-n, --namespace <name>', 'its namespace', 'default')
    .option('--open-api <file>', 'OpenAPI 3 or Swagger 2, YAML or JSON')
    .option('--proto <file>', 'a .proto file with its service')
    .option('--for <duration>', "time for which its callers' proxies are watched")
    .option(
      '--proxies <addresses>',
      'with --for: admin addresses; default: the pods of the cluster',
    )
    .option('--mesh-file <file>', 'with --for: YAML or JSON with proxies: [{ admin: address }]')
    .option('--kubeconfig <file>', 'with --for: default: $KUBECONFIG or ~/.kube/config')
    .addHelpText(
      'after',
      `
Examples:
  firedrill profile cart --namespace retail --open-api cart.yaml | kubectl apply -f -
  firedrill profile payment --namespace retail --proto payment.proto
  firedrill profile cart --namespace retail --for 2m > cart.yaml    # a draft: read it before it is applied`,
    )
    .action(async (service: string, flags: Flags) => {
      const { profileYaml } = await import('./profile.js');
      process.stdout.write(profileYaml(service, flags.namespace, await routesOf(service, flags)));
    });
}

interface Flags {
  namespace: string;
  openApi?: string;
  proto?: string;
  for?: string;
  proxies?: string;
  meshFile?: string;
  kubeconfig?: string;
}

async function routesOf(service: string, flags: Flags): Promise<ProfileRoute[]> {
  const { openApi, proto, for: learn, namespace, proxies, meshFile, kubeconfig } = flags;
  if ([openApi, proto, learn].filter((way) => way !== undefined).length !== 1) {
    throw new UserError({
      message: 'no route source given',
      expected: 'one of --open-api, --proto and --for',
    });
  }
  const { routesOfOpenApi, routesOfProto } = await import('./profile.js');
  if (openApi !== undefined) return routesOfOpenApi(openApi);
  if (proto !== undefined) return routesOfProto(proto);
  const { learnRoutes } = await import('./learn-command.js');
  const learnt = await learnRoutes(`${service}.${namespace}`, learn ?? '', {
    proxies,
    meshFile,
    kubeconfig,
  });
  return learnt.map(({ route }) => route);
}
