/** Services of other clusters as destinations here, behind the other cluster's gateway. */
import type { Destination } from '../../model.js';
import { backendDefaults } from '../../schema/backend.js';
import { labels } from '../annotations.js';
import { KubeApi } from '../client/api.js';
import { tokenCredentials } from '../client/credentials.js';
import { Informer } from '../client/informer.js';
import { type AnyObject, keyOf, resources } from '../client/objects.js';
import { messageOf } from '../../../base/errors.js';
import type { MultiClusterLinkSpec } from './specs.js';
import { type Service, type SpecObject, trimMeta } from './types.js';
import { type LabelSelector, selects } from './workload.js';

export type Link = SpecObject<MultiClusterLinkSpec>;

export interface LinkSink {
  changed(destinations: Destination[], removed: string[]): void;
  problem(message: string | undefined): void;
}

/** Connects to the other cluster's API server with `server`, `ca.crt` and `token` of a Secret. */
async function credentialsOf(api: KubeApi, link: Link): Promise<KubeApi> {
  const name = link.spec.credentialsSecret;
  const secret = await api.get<AnyObject>(resources.Secret, link.metadata.namespace, name);
  const part = (field: string): string => {
    const text = (secret.data as Record<string, string> | undefined)?.[field];
    if (!text) throw new Error(`secret ${name} lacks ${field}`);
    return Buffer.from(text, 'base64').toString('utf8');
  };
  return new KubeApi(tokenCredentials(part('server'), part('ca.crt'), part('token')));
}

/**
 * One link. The mirrored `cart-west.retail` has one endpoint, the gateway, which must show its identity; the host is
 * rewritten to the name that the other cluster knows. While that cluster is unreachable, its services stay unchanged.
 */
export class LinkMirror {
  readonly #api: KubeApi;
  readonly #link: Link;
  readonly #clusterDomain: string;
  readonly #sink: LinkSink;
  #remote: KubeApi | undefined;
  #services: Informer<Service> | undefined;
  #given = new Set<string>();
  #stopped = false;

  constructor(api: KubeApi, link: Link, clusterDomain: string, sink: LinkSink) {
    this.#api = api;
    this.#link = link;
    this.#clusterDomain = clusterDomain;
    this.#sink = sink;
  }

  async start(): Promise<void> {
    const who = `link ${this.#link.metadata.name}`;
    try {
      this.#remote = await credentialsOf(this.#api, this.#link);
    } catch (error) {
      this.#sink.problem(`${who}: ${messageOf(error)}`);
      return;
    }
    const services = new Informer<Service>(this.#remote, resources.Service, {
      trim: trimMeta,
      onProblem: (message) => this.#sink.problem(message && `${who}: ${message}`),
    });
    this.#services = services;
    const wanted: LabelSelector = this.#link.spec.selector ?? {
      matchLabels: { [labels.exported]: 'true' },
    };
    services.onChange((now, before) => {
      const exported = now && selects(wanted, now.metadata.labels) ? this.#destinations(now) : [];
      const gone = before
        ? this.#destinations(before).filter((d) => !exported.some((e) => e.name === d.name))
        : [];
      const removed = gone.map((d) => d.name).filter((name) => this.#given.delete(name));
      for (const d of exported) this.#given.add(d.name);
      if (exported.length + removed.length > 0) this.#sink.changed(exported, removed);
    });
    // The mirror may have been stopped while the credentials were fetched.
    if (!this.#stopped) await services.start();
  }

  /** Removes the link's destinations: a deleted link differs from an unreachable cluster. */
  stop(): void {
    this.#stopped = true;
    this.#services?.stop();
    this.#remote?.close();
    if (this.#given.size > 0) this.#sink.changed([], [...this.#given]);
    this.#given = new Set();
  }

  #destinations(service: Service): Destination[] {
    const { name, namespace = 'default' } = service.metadata;
    const { clusterName, gatewayAddress, gatewayIdentity } = this.#link.spec;
    const local = `${name}-${clusterName}`;
    const own = `${local}.${namespace}`;
    const far = `${name}.${namespace}.svc.${this.#clusterDomain}`;
    return [
      {
        name: own,
        service: local,
        namespace,
        hosts: [own, `${own}.svc`, `${own}.svc.${this.#clusterDomain}`],
        addresses: [],
        protocol: 'detect',
        routes: [
          {
            name: 'linked',
            matches: [],
            split: [{ backend: own, weight: 1 }],
            timeouts: {},
            rewrite: { host: far },
          },
        ],
        backends: [
          {
            name: own,
            endpoints: [
              {
                address: gatewayAddress,
                identity: gatewayIdentity,
                labels: { cluster: clusterName },
              },
            ],
            ...backendDefaults,
          },
        ],
      },
    ];
  }
}

/** Follows all links as they are added and removed. */
export class Links {
  readonly #mirrors = new Map<string, LinkMirror>();
  readonly #make: (link: Link) => LinkMirror;

  constructor(make: (link: Link) => LinkMirror) {
    this.#make = make;
  }

  change(now: Link | undefined, before: Link | undefined): void {
    const key = keyOf((now ?? before) as Link);
    // A written status does not change the link.
    if (now && before && JSON.stringify(now.spec) === JSON.stringify(before.spec)) return;
    this.#mirrors.get(key)?.stop();
    this.#mirrors.delete(key);
    if (!now) return;
    const mirror = this.#make(now);
    this.#mirrors.set(key, mirror);
    void mirror.start();
  }

  stop(): void {
    for (const mirror of this.#mirrors.values()) mirror.stop();
    this.#mirrors.clear();
  }
}
