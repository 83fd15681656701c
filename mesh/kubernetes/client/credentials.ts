/** The address of the API server and the credentials for it: a pod's own service account, or a kubeconfig. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { RequestOptions } from 'node:https';
import { exitCode, messageOf, UserError } from '../../../base/errors.js';
import { readYaml } from '../../../base/yaml.js';

export interface Credentials {
  server: URL;
  /** Returns TLS options and the authorization header, anew for each request, because tokens in pods rotate. */
  options(): Promise<RequestOptions>;
}

const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The pod's own service account. It needs no kubeconfig reader, which would cost a controller 70 MB. */
function inCluster(): Credentials | undefined {
  const host = process.env.KUBERNETES_SERVICE_HOST;
  if (!host || !existsSync(join(accountFolder, 'token'))) return undefined;
  const address = host.includes(':') ? `[${host}]` : host;
  return {
    server: new URL(`https://${address}:${process.env.KUBERNETES_SERVICE_PORT ?? '443'}`),
    options: () =>
      Promise.resolve({
        ca: readFileSync(join(accountFolder, 'ca.crt')),
        headers: {
          authorization: `Bearer ${readFileSync(join(accountFolder, 'token'), 'utf8').trim()}`,
        },
      }),
  };
}

export interface CredentialOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** The user to impersonate: `system:serviceaccount:ns:name`. */
  as?: string | undefined;
}

/** Uses an explicit kubeconfig, else the pod's account, else $KUBECONFIG or ~/.kube/config. Throws a UserError. */
export async function findCredentials(options: CredentialOptions = {}): Promise<Credentials> {
  const own = options.kubeconfig || options.context ? undefined : inCluster();
  const found = own ?? (await fromKubeconfig(options));
  return options.as ? impersonating(found, options.as) : found;
}

async function fromKubeconfig(options: CredentialOptions): Promise<Credentials> {
  const files = options.kubeconfig
    ? [options.kubeconfig]
    : (process.env.KUBECONFIG?.split(delimiter) ?? [join(homedir(), '.kube', 'config')]);
  const file = files.find((f) => f !== '' && existsSync(f));
  if (!file) {
    throw new UserError(
      {
        message: `no kubeconfig: ${files.join(', ')} not found`,
        expected: '--kubeconfig FILE, $KUBECONFIG, or to run in a pod',
      },
      exitCode.environment,
    );
  }
  const refuse = (message: string, expected?: string): UserError =>
    new UserError(
      { message: `${file}: ${message}`, ...(expected && { expected }) },
      exitCode.environment,
    );
  readYaml(file);
  // The import is lazy: it loads the whole typed client, which only commands at a terminal need.
  const { KubeConfig } = await import('./kubeconfig.js');
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
    if (options.context) config.setCurrentContext(options.context);
  } catch {
    throw refuse('not a kubeconfig', 'lists of clusters, contexts and users');
  }
  const wanted: string | undefined = options.context ?? config.getCurrentContext();
  if (!wanted)
    throw refuse('it has no current-context', '--context NAME, or a kubeconfig with one');
  const cluster = config.getCurrentCluster();
  if (!cluster) throw refuse(`context '${wanted}' names no cluster`);
  if (!URL.canParse(cluster.server)) {
    throw refuse(
      `the cluster's server '${cluster.server}'`,
      'an address such as https://host:6443',
    );
  }
  return {
    server: new URL(cluster.server),
    options: async () => {
      const made: RequestOptions = {};
      await config.applyToHTTPSOptions(made).catch((error: unknown) => {
        throw refuse(`the user of context '${wanted}': ${messageOf(error)}`);
      });
      // The client's agent would not be kept between requests; our own is.
      delete made.agent;
      return made;
    },
  };
}

/** The same connection as another user, for which RBAC must allow `impersonate`. */
function impersonating(credentials: Credentials, user: string): Credentials {
  return {
    server: credentials.server,
    options: async () => {
      const made = await credentials.options();
      return { ...made, headers: { ...made.headers, 'impersonate-user': user } };
    },
  };
}

/** Credentials with a fixed token: for tests, and links to other clusters. `ca` is PEM. */
export function tokenCredentials(server: string, ca: string, token: string): Credentials {
  const options = { ca, headers: { authorization: `Bearer ${token}` } };
  return { server: new URL(server), options: () => Promise.resolve(options) };
}
