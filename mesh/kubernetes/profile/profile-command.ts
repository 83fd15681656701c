/** `firedrill profile`: writes a ServiceProfile so that nobody has to write regular expressions. */
import type { Command } from 'commander';
import { UserError } from '../../../base/errors.js';

export function registerProfile(program: Command): void {
  program
    .command('profile')
    .description('write the ServiceProfile of a service from its OpenAPI document or .proto file')
    .argument('<service>', 'its name')
    .option('--namespace <name>', 'its namespace', 'default')
    .option('--open-api <file>', 'OpenAPI 3 or Swagger 2, YAML or JSON')
    .option('--proto <file>', 'a .proto file with its service')
    .addHelpText(
      'after',
      `
Examples:
  firedrill profile cart --namespace retail --open-api cart.yaml | kubectl apply -f -
  firedrill profile payment --namespace retail --proto payment.proto`,
    )
    .action(
      async (service: string, options: { namespace: string; openApi?: string; proto?: string }) => {
        const { profileYaml, routesOfOpenApi, routesOfProto } = await import('./profile.js');
        if ((options.openApi === undefined) === (options.proto === undefined)) {
          throw new UserError({
            message: 'where are the routes?',
            expected: 'one of --open-api and --proto',
          });
        }
        const routes = options.openApi
          ? routesOfOpenApi(options.openApi)
          : routesOfProto(options.proto as string);
        process.stdout.write(profileYaml(service, options.namespace, routes));
      },
    );
}
