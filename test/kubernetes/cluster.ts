/** A real kube-apiserver over a real etcd, on free loopback ports, with folders and tokens of its own. No nodes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../../base/clock.js';
import { requireTool } from '../../base/tools.js';
import { KubeApi } from '../../mesh/kubernetes/client/api.js';
import { tokenCredentials } from '../../mesh/kubernetes/client/credentials.js';

export interface Cluster {
  server: string;
  ca: string;
  caFile: string;
  /** A client with the rights of system:masters. */
  admin: KubeApi;
  adminToken: string;
  /** A kubeconfig of the administrator. */
  kubeconfig: string;
  folder: string;
  /** Returns a real token of a service account, by TokenRequest; the account must exist. */
  tokenOf(namespace: string, account: string, audiences?: string[]): Promise<string>;
  /** Returns a client with that account's token, limited to the account's RBAC rights. */
  as(
    namespace: string,
    account: string,
    onRequest?: (method: string, path: string) => void,
  ): Promise<KubeApi>;
  writeKubeconfig(name: string, token: string): string;
  /** Stops only the API server; startApiServer starts it again on the same port over the same etcd. */
  stopApiServer(): Promise<void>;
  startApiServer(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-cluster-'));
  const [etcdPort, peerPort, apiPort] = await freePorts(3);
  const adminToken = randomBytes(16).toString('hex');
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const signingKey = file(
    'sa.key',
    key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  );
  const publicKey = file('sa.pub', key.publicKey.export({ type: 'spki', format: 'pem' }) as string);
  const tokens = file('tokens.csv', `${adminToken},admin,admin,system:masters\n`);
  const etcd = guarded(
    requireTool('etcd'),
    [
      ['data-dir', join(folder, 'etcd')],
      ['listen-client-urls', `http://127.0.0.1:${etcdPort}`],
      ['advertise-client-urls', `http://127.0.0.1:${etcdPort}`],
      ['listen-peer-urls', `http://127.0.0.1:${peerPort}`],
      ['initial-advertise-peer-urls', `http://127.0.0.1:${peerPort}`],
      ['initial-cluster', `default=http://127.0.0.1:${peerPort}`],
      ['unsafe-no-fsync', 'true'],
    ].map(([name, value]) => `--${name}=${value}`),
  );
  const apiArguments = [
    ['etcd-servers', `http://127.0.0.1:${etcdPort}`],
    ['cert-dir', join(folder, 'certs')],
    ['bind-address', '127.0.0.1'],
    ['secure-port', String(apiPort)],
    ['service-account-issuer', 'https://kubernetes.default.svc'],
    ['service-account-key-file', publicKey],
    ['service-account-signing-key-file', signingKey],
    ['token-auth-file', tokens],
    ['authorization-mode', 'RBAC'],
    ['service-cluster-ip-range', '10.96.0.0/16'],
    ['disable-admission-plugins', 'ServiceAccount'],
    ['watch-cache', 'true'],
    ['v', '0'],
  ].map(([name, value]) => `--${name}=${value}`);
  const startApi = (): Guarded => guarded(requireTool('kube-apiserver'), apiArguments);
  let api = startApi();
  const server = `https://127.0.0.1:${apiPort}`;
  const stopAll = async (): Promise<void> => {
    await api.stop();
    await etcd.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const caFile = join(folder, 'certs', 'apiserver.crt');
    const ca = await waitFor(
      () => readFileSync(caFile, 'utf8'),
      () => api.said(),
    );
    const client = (token: string): KubeApi => new KubeApi(tokenCredentials(server, ca, token));
    const admin = client(adminToken);
    const ready = (): Promise<unknown> =>
      waitFor(
        () => admin.call('GET', '/readyz'),
        () => api.said(),
      );
    await ready();
    const writeKubeconfig = (name: string, token: string): string =>
      file(name, kubeconfigText(server, caFile, token));
    const tokenOf = async (
      namespace: string,
      account: string,
      audiences: string[] = [],
    ): Promise<string> => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
      const spec = { expirationSeconds: 3600, ...(audiences.length > 0 ? { audiences } : {}) };
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
      const answer = (await admin.call('POST', path, body)) as { status: { token: string } };
      return answer.status.token;
    };
    return {
      server,
      ca,
      caFile,
      admin,
      adminToken,
      folder,
      kubeconfig: writeKubeconfig('admin.yaml', adminToken),
      writeKubeconfig,
      tokenOf,
      as: async (namespace, account, onRequest) =>
        new KubeApi(tokenCredentials(server, ca, await tokenOf(namespace, account)), { onRequest }),
      stopApiServer: () => api.stop(),
      startApiServer: async () => {
        api = startApi();
        await ready();
      },
      stop: async () => {
        admin.close();
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}

interface Guarded {
  process: ChildProcess;
  said(): string;
  stop(): Promise<void>;
}

/** Starts a program under a shell that kills it when our end of the pipe closes, even after our own SIGKILL. */
function guarded(command: string, args: readonly string[]): Guarded {
  const script = '"$@" </dev/null & pid=$!; cat >/dev/null; kill -9 $pid 2>/dev/null; wait $pid';
  const child = spawn('sh', ['-c', script, 'sh', command, ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-3000);
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  return {
    process: child,
    said: () => errors,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

async function waitFor<T>(attempt: () => T | Promise<T>, said: () => string): Promise<T> {
  for (let left = 600; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0)
        throw new Error(`the API server did not come up: ${said()}`, { cause: error });
      await sleep(100);
    }
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((s) => new Promise((resolve) => s.on('listening', resolve))));
  const ports = servers.map((s) => (s.address() as { port: number }).port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}

const kubeconfigText = (server: string, caFile: string, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  });
