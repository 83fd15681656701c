/**
 * A stand-in for one node's kubelet and for the endpoint controller: it runs every pod of a real API server as its spec
 * says (init containers in turn, native sidecars before the app), reports their status, and keeps the services'
 * EndpointSlices. It also replaces DNS, by /etc/hosts. It does not schedule, pull images or restart.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { sleep } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import { Informer } from '../../mesh/kubernetes/client/informer.js';
import { resources } from '../../mesh/kubernetes/client/objects.js';
import type { Container, Pod, Service } from '../../mesh/kubernetes/discovery/types.js';
import type { Cluster } from './cluster.js';
import { Bridge, PodSandbox } from './pod-sandbox.js';

interface ProjectedSource {
  downwardAPI?: { items: { path: string; fieldRef: { fieldPath: string } }[] };
  configMap?: { name: string; items: { key: string; path: string }[] };
  serviceAccountToken?: { path: string; audience: string };
}

interface RunningPod {
  pod: Pod;
  sandbox: PodSandbox;
  ready: boolean;
  problem?: string;
}

const probeEveryMs = 500;

export class Kubelet {
  readonly bridge = new Bridge();
  readonly #controlPlane = new Map([
    ['firedrill-controller', this.bridge.address],
    ['firedrill-controller-canary', this.bridge.second],
  ]);
  readonly #cluster: Cluster;
  readonly #pods: Informer<Pod>;
  readonly #services: Informer<Service>;
  readonly #running = new Map<string, RunningPod>();
  readonly #ending: Promise<void>[] = [];
  #slices: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#pods = new Informer(cluster.admin, resources.Pod);
    this.#services = new Informer(cluster.admin, resources.Service);
  }

  async start(): Promise<void> {
    await this.#services.start();
    this.#services.onChange(() => this.#syncSlices());
    this.#pods.onChange((now, before) => {
      if (now && !before) void this.#run(now);
      if (!now && before) this.#ending.push(this.#end(before));
    });
    await this.#pods.start();
  }

  /** Returns a container's output so far. */
  logs(namespace: string, pod: string, container: string): readonly string[] {
    return this.#running.get(`${namespace}/${pod}`)?.sandbox.lines(container) ?? [];
  }

  addressOf(namespace: string, pod: string): string | undefined {
    return this.#running.get(`${namespace}/${pod}`)?.sandbox.address;
  }

  isReady(namespace: string, pod: string): boolean {
    const found = this.#running.get(`${namespace}/${pod}`);
    if (found?.problem) throw new Error(`pod ${pod}: ${found.problem}`);
    return found?.ready ?? false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pods.stop();
    this.#services.stop();
    await Promise.all([...this.#running.values()].map(({ pod }) => this.#end(pod)));
    await Promise.allSettled([...this.#ending, this.#slices]);
    this.bridge.remove();
  }

  async #run(pod: Pod): Promise<void> {
    const sandbox = new PodSandbox(this.bridge, this.#hosts());
    const running: RunningPod = { pod, sandbox, ready: false };
    this.#running.set(keyOf(pod), running);
    try {
      for (const volume of pod.spec.volumes ?? []) await this.#fill(running, volume);
      for (const container of pod.spec.initContainers ?? []) await this.#init(running, container);
      for (const container of pod.spec.containers) {
        void sandbox.start(container).then((code) => {
          if (!this.#stopped) running.problem = `${container.name} ended with ${code}`;
        });
      }
      await this.#report(running, false);
      void this.#probeReadiness(running);
    } catch (error) {
      running.problem = messageOf(error);
    }
  }

  async #init({ sandbox, pod }: RunningPod, container: Container): Promise<void> {
    const ended = sandbox.start(container);
    const said = (): string => sandbox.lines(container.name).slice(-5).join(' | ');
    if (container.restartPolicy !== 'Always') {
      const code = await ended;
      if (code !== 0) throw new Error(`${container.name} ended with ${code}: ${said()}`);
      return;
    }
    let gone = false;
    void ended.then(() => (gone = true));
    // A native sidecar's hook, which waits until the sidecar is ready, delays the later containers.
    while (!(await probe(sandbox.address, container.readinessProbe))) {
      if (gone) throw new Error(`${container.name} of ${pod.metadata.name} ended: ${said()}`);
      await sleep(100);
    }
  }

  async #probeReadiness(running: RunningPod): Promise<void> {
    const { pod, sandbox } = running;
    const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    const probes = all.map((c) => c.readinessProbe).filter((p) => p !== undefined);
    while (this.#running.get(keyOf(pod)) === running) {
      const answers = await Promise.all(probes.map((p) => probe(sandbox.address, p)));
      const ready = answers.every(Boolean);
      if (ready !== running.ready) {
        await this.#report(running, ready).catch(() => undefined);
      }
      await sleep(probeEveryMs);
    }
  }

  async #report(running: RunningPod, ready: boolean): Promise<void> {
    const { pod, sandbox } = running;
    const { name, namespace } = pod.metadata;
    const condition = (type: string): object => ({ type, status: ready ? 'True' : 'False' });
    const status = {
      phase: 'Running',
      podIP: sandbox.address,
      podIPs: [{ ip: sandbox.address }],
      conditions: [condition('Ready'), condition('ContainersReady')],
    };
    await this.#cluster.admin.patch(resources.Pod, namespace, name, { status }, 'status');
    running.ready = ready;
    this.#syncSlices();
  }

  async #end(pod: Pod): Promise<void> {
    const found = this.#running.get(keyOf(pod));
    if (!found) return;
    this.#running.delete(keyOf(pod));
    if (!this.#stopped) this.#syncSlices();
    const sidecars = (pod.spec.initContainers ?? []).map((c) => c.name).toReversed();
    await found.sandbox.remove([...pod.spec.containers.map((c) => c.name), ...sidecars]);
  }

  async #fill({ pod, sandbox }: RunningPod, volume: { name: string }): Promise<void> {
    const folder = sandbox.volume(volume.name);
    mkdirSync(folder);
    const { emptyDir, projected } = volume as {
      emptyDir?: object;
      projected?: { sources: ProjectedSource[] };
    };
    if (emptyDir) chmodSync(folder, 0o777);
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    };
    const { namespace = 'default', annotations } = pod.metadata;
    for (const source of projected?.sources ?? []) {
      for (const { path, fieldRef } of source.downwardAPI?.items ?? []) {
        const key = /^metadata\.annotations\['(.+)'\]$/.exec(fieldRef.fieldPath)?.[1] ?? '';
        write(path, annotations?.[key] ?? '');
      }
      if (source.serviceAccountToken) {
        const { path, audience } = source.serviceAccountToken;
        const account = pod.spec.serviceAccountName ?? 'default';
        write(path, await this.#cluster.tokenOf(namespace, account, [audience]));
      }
      if (source.configMap) {
        const { name, items } = source.configMap;
        const { admin } = this.#cluster;
        const map = await admin.get<{ data?: Record<string, string> }>(
          resources.ConfigMap,
          namespace,
          name,
        );
        for (const { key, path } of items) write(path, map.data?.[key] ?? '');
      }
    }
  }

  /** The control plane runs on the node itself, so its services have addresses of the node. */
  #hosts(): string {
    const lines = [...this.#services.objects.values()].map(({ metadata, spec }) => {
      const { name, namespace = 'default' } = metadata;
      const address = this.#controlPlane.get(name) ?? spec.clusterIP;
      const full = `${name}.${namespace}`;
      return `${address} ${name} ${full} ${full}.svc ${full}.svc.cluster.local`;
    });
    return ['127.0.0.1 localhost', ...lines, ''].join('\n');
  }

  #syncSlices(): void {
    this.#slices = this.#slices
      .then(() => this.#writeSlices())
      .catch((error: unknown) => {
        if (!this.#stopped) process.stderr.write(`slices: ${messageOf(error)}\n`);
      });
  }

  async #writeSlices(): Promise<void> {
    for (const { metadata, spec } of this.#services.objects.values()) {
      const { selector } = spec;
      if (!selector) continue;
      const pods = [...this.#running.values()].filter(
        ({ pod, problem }) =>
          !problem &&
          pod.metadata.namespace === metadata.namespace &&
          Object.entries(selector).every(([k, v]) => pod.metadata.labels?.[k] === v),
      );
      await this.#cluster.admin.apply(
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: `${metadata.name}-1`,
            namespace: metadata.namespace ?? 'default',
            labels: { 'kubernetes.io/service-name': metadata.name },
          },
          addressType: 'IPv4',
          endpoints: pods.map(({ pod, sandbox, ready }) => ({
            addresses: [sandbox.address],
            conditions: { ready },
            targetRef: {
              kind: 'Pod',
              name: pod.metadata.name,
              namespace: pod.metadata.namespace,
            },
          })),
          ports: (spec.ports ?? []).map((p) => ({
            ...(p.name ? { name: p.name } : {}),
            port: typeof p.targetPort === 'number' ? p.targetPort : p.port,
            protocol: 'TCP',
          })),
        },
        { manager: 'kubelet', force: true },
      );
    }
  }
}

const keyOf = (pod: Pod): string => `${pod.metadata.namespace}/${pod.metadata.name}`;

function probe(address: string, description: unknown): Promise<boolean> {
  const http = (description as { httpGet?: { path: string; port: number } } | undefined)?.httpGet;
  if (!http) return Promise.resolve(true);
  return new Promise((resolve) => {
    const options = { host: address, port: http.port, path: http.path, timeout: 2000 };
    const asked = get(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    asked.on('timeout', () => asked.destroy()).on('error', () => resolve(false));
  });
}
