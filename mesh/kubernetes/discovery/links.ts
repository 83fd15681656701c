/** Services of other clusters as destinations here, behind the other cluster's gateway. */
import { isDeepStrictEqual } from 'node:util';
import { type Clock, realClock, type Timer } from '../../../base/clock.js';
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

interface Credentials {
  server: string;
  ca: string;
  token: string;
}

/** Reads `server`, `ca.crt` and `token` of the link's Secret, for the other cluster's API server. */
async function credentialsOf(api: KubeApi, link: Link): Promise<Credentials> {
  const name = link.spec.credentialsSecret;
  const secret = await api.get<AnyObject>(resources.Secret, link.metadata.namespace, name);
  const part = (field: string): string => {
    const text = (secret.data as Record<string, string> | undefined)?.[field];
    if (!text) throw new Error(`secret ${name} lacks ${field}`);
    return Buffer.from(text, 'base64').toString('utf8');
  };
  return { server: part('server'), ca: part('ca.crt'), token: part('token') };
}

/** The Secret may come after its link, and its token may be exchanged: so often it is read again. */
const secretEveryMs = 15_000;

/**
 * One link. The mirrored `cart-west.retail` has one endpoint, the gateway, which must show its identity; the host is
 * rewritten to the name that the other cluster knows. While that cluster is unreachable, its services stay unchanged.
 */
export class LinkMirror {
  readonly #api: KubeApi;
  readonly #link: Link;
  readonly #clusterDomain: string;
  readonly #sink: LinkSink;
  readonly #clock: Clock;
  #credentials: Credentials | undefined;
  #remote: KubeApi | undefined;
  #services: Informer<Service> | undefined;
  #given = new Set<string>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    api: KubeApi,
    link: Link,
    clusterDomain: string,
    { sink, clock = realClock }: { sink: LinkSink; clock?: Clock | undefined },
  ) {
    this.#api = api;
    this.#link = link;
    this.#clusterDomain = clusterDomain;
    this.#sink = sink;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    this.#timer = this.#clock.every(secretEveryMs, () => void this.#look());
    await this.#look();
  }

  /** Connects as soon as there is a Secret, and anew whenever it has changed. */
  async #look(): Promise<void> {
    try {
      const found = await credentialsOf(this.#api, this.#link);
      if (this.#stopped || isDeepStrictEqual(found, this.#credentials)) return;
      this.#credentials = found;
    } catch (error) {
      if (!this.#stopped) this.#say(messageOf(error));
      return;
    }
    this.#say(undefined);
    await this.#follow(this.#credentials);
  }

  #say(message: string | undefined): void {
    this.#sink.problem(message && `link ${this.#link.metadata.name}: ${message}`);
  }

  async #follow({ server, ca, token }: Credentials): Promise<void> {
    this.#services?.stop();
    this.#remote?.close();
    this.#remote = new KubeApi(tokenCredentials(server, ca, token));
    const services = new Informer<Service>(this.#remote, resources.Service, {
      trim: trimMeta,
      onProblem: (message) => {
        if (this.#services === services) this.#say(message);
      },
    });
    this.#services = services;
    const wanted: LabelSelector = this.#link.spec.selector ?? {
      matchLabels: { [labels.exported]: 'true' },
    };
    const exported = (service: Service): Destination[] =>
      selects(wanted, service.metadata.labels) ? this.#destinations(service) : [];
    services.onChange((now, before) => {
      if (this.#services !== services) return;
      const made = now ? exported(now) : [];
      for (const d of made) this.#given.add(d.name);
      const gone = (before ? this.#destinations(before) : []).map((d) => d.name);
      this.#change(
        made,
        gone.filter((name) => !made.some((d) => d.name === name)),
      );
    });
    await services.start();
    if (this.#services !== services) return;
    // Services that an earlier connection found may have gone since.
    const left = [...services.objects.values()].flatMap(exported).map((d) => d.name);
    this.#change(
      [],
      [...this.#given].filter((name) => !left.includes(name)),
    );
  }

  #change(made: Destination[], gone: string[]): void {
    const removed = gone.filter((name) => this.#given.delete(name));
    if (made.length + removed.length > 0) this.#sink.changed(made, removed);
  }

  /** Removes the link's destinations: a deleted link differs from an unreachable cluster. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#services?.stop();
    this.#services = undefined;
    this.#remote?.close();
    this.#change([], [...this.#given]);
    this.#say(undefined);
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

/**
 * Follows all links as they are added and removed. Two links of one cluster name would give the same destinations, so
 * the first by name alone is followed, until it goes.
 */
export class Links {
  readonly #links = new Map<string, Link>();
  readonly #mirrors = new Map<string, LinkMirror>();
  readonly #make: (link: Link) => LinkMirror;

  constructor(make: (link: Link) => LinkMirror) {
    this.#make = make;
  }

  change(now: Link | undefined, before: Link | undefined): void {
    const key = keyOf((now ?? before) as Link);
    // A written status does not change the link.
    const isSame = now && before && JSON.stringify(now.spec) === JSON.stringify(before.spec);
    if (!isSame) this.#end(key);
    if (now) this.#links.set(key, now);
    else this.#links.delete(key);
    const first = new Map<string, string>();
    for (const other of [...this.#links.keys()].sort().toReversed())
      first.set((this.#links.get(other) as Link).spec.clusterName, other);
    const followed = new Set(first.values());
    for (const other of this.#mirrors.keys()) if (!followed.has(other)) this.#end(other);
    for (const other of followed) {
      if (this.#mirrors.has(other)) continue;
      const mirror = this.#make(this.#links.get(other) as Link);
      this.#mirrors.set(other, mirror);
      void mirror.start();
    }
  }

  #end(key: string): void {
    this.#mirrors.get(key)?.stop();
    this.#mirrors.delete(key);
  }

  stop(): void {
    for (const mirror of this.#mirrors.values()) mirror.stop();
    this.#mirrors.clear();
  }
}

/** The destinations of all links. A Service of this cluster keeps its name; of two links, the first by key has it. */
export class Mirrors {
  readonly #byName = new Map<string, Map<string, Destination>>();
  readonly #isOwn: (name: string) => boolean;

  /** `isOwn`: whether a Service of this cluster has the name. */
  constructor(isOwn: (name: string) => boolean) {
    this.#isOwn = isOwn;
  }

  /** Takes a change of one link, and returns the change that is seen. */
  change(
    link: string,
    made: readonly Destination[],
    removed: readonly string[],
  ): { destinations: Destination[]; removedDestinations: string[] } {
    for (const name of removed) this.#byName.get(name)?.delete(link);
    for (const d of made) {
      const byLink = this.#byName.get(d.name) ?? new Map<string, Destination>();
      this.#byName.set(d.name, byLink.set(link, d));
    }
    const names = [...new Set([...removed, ...made.map((d) => d.name)])].filter(
      (name) => !this.#isOwn(name),
    );
    const destinations = names.flatMap((name) => this.get(name) ?? []);
    const removedDestinations = names.filter((name) => !this.get(name));
    for (const name of removed) if (this.#byName.get(name)?.size === 0) this.#byName.delete(name);
    return { destinations, removedDestinations };
  }

  /** Undefined: no link has the name, or a Service of this cluster. */
  get(name: string): Destination | undefined {
    return this.#isOwn(name) ? undefined : this.#byName.get(name)?.get(this.#first(name));
  }

  /** The names of a link's destinations that are something else's. */
  takenFrom(link: string): string[] {
    return [...this.#byName].flatMap(([name, byLink]) =>
      byLink.has(link) && (this.#isOwn(name) || this.#first(name) !== link) ? [name] : [],
    );
  }

  #first(name: string): string {
    return [...(this.#byName.get(name)?.keys() ?? [])].sort()[0] ?? '';
  }
}
