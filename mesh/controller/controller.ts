/** Wires the controller: sources to the catalogue, the catalogue to sessions, the issuer to authority and bundle. */
import { join } from 'node:path';
import { type Clock, realClock, type Timer } from '../../base/clock.js';
import { messageOf } from '../../base/errors.js';
import type { Attestor } from '../identity/attestor.js';
import { CertificateAuthority } from '../identity/authority.js';
import { CertificateEvents } from '../identity/events.js';
import { issuerHash, type Issuing, type IssuerStore } from '../identity/issuing.js';
import { JoinTokens } from '../identity/join-tokens.js';
import { ensurePki, FileIssuerStore, pkiFiles, rotateIssuer } from '../identity/pki-files.js';
import { notAfterMs, notBeforeMs } from '../identity/x509.js';
import { kinds } from './api/messages.js';
import { type AdminServer, startAdmin } from './admin.js';
import { Catalogue } from './catalogue.js';
import type { ControllerConfig } from './config.js';
import { FileSource } from './discovery/file.js';
import type { DiscoverySource } from './discovery/source.js';
import { ControllerFaults } from './faults.js';
import { FileLease, type Lease, soleLeader } from './lease.js';
import { controllerMetrics } from './metrics.js';
import { OwnCertificate } from './own-certificate.js';
import { loadKubernetesPlugin, type PluginContext } from './plugins.js';
import { Propagation } from './propagation.js';
import { ControlServer } from './server.js';
import { Sessions } from './sessions.js';
import { bundleName, bundleTopic } from './topics.js';

/** The longest default time over which proxies spread their renewals after the issuer or the bundle changed. */
const maxSpreadMs = 300_000;

export interface Controller {
  readonly grpcPort: number;
  readonly adminPort: number;
  readonly clock: Clock;
  readonly authority: CertificateAuthority;
  readonly catalogue: Catalogue;
  readonly sessions: Sessions;
  readonly events: CertificateEvents;
  readonly faults: ControllerFaults;
  readonly lease: Lease;
  stop(): Promise<void>;
}

/** Starts all services; rejects with a UserError when the configuration cannot work. */
export async function startController(
  config: ControllerConfig,
  options: { clock?: Clock; log?: (line: string) => void; sources?: DiscoverySource[] } = {},
): Promise<Controller> {
  const clock = options.clock ?? realClock;
  const log = options.log ?? (() => undefined);
  const { trustDomain } = config;
  const lease = config.lease
    ? new FileLease({
        file: config.lease.file,
        durationMs: config.lease.duration,
        replica: config.replica,
        clock,
      })
    : soleLeader;
  const context: PluginContext = { trustDomain, clock, lease, log };
  const events = new CertificateEvents(config.events?.file, clock);
  const faults = new ControllerFaults(clock);
  const store = await issuerStore(config, context);
  let changed: (issuing: Issuing) => void = () => undefined;
  const issuing = await store.start(
    (next) => changed(next),
    (message) => {
      log(`issuer: ${message}; the issuer in use stays`);
      events.record({ event: 'issuer-problem', message });
    },
  );
  const authority = new CertificateAuthority(
    {
      trustDomain,
      lifetimeMs: config.identity.certificateLifetime,
      clockSkewMs: config.identity.clockSkew,
      attestors: await attestors(config, context),
      clock,
      events,
      fault: {
        frozen: () => faults.strikes('identity-freeze'),
        skewMs: () => faults.skewMs(),
        lifetimeMs: (configuredMs) => faults.lifetimeMs(configuredMs),
      },
    },
    issuing,
  );
  const catalogue = new Catalogue(clock);
  catalogue.onProblems = (source, messages) => {
    for (const message of messages) log(`${source}: ${message}`);
    if (messages.length === 0) log(`${source}: recovered`);
  };
  const propagation = new Propagation(clock);
  const sessions = new Sessions({ catalogue, propagation, clock });
  catalogue.onMoved = (addresses) => sessions.moved(addresses);
  const own = new OwnCertificate(config, authority, clock, log);
  const sources = [...(options.sources ?? []), ...(await discoverySources(config, context))];
  const server = new ControlServer(await own.make(), {
    authority,
    sessions,
    clock,
    whyNot: (identity, claim) => firstOf(sources, (s) => s.whyNot?.(identity, claim)),
    placeOf: (address) => firstOf(sources, (s) => s.placeOf?.(address)),
  });
  own.onRenewed = (credentials) => server.setCredentials(credentials);
  const { renewSpread, certificateLifetime } = config.identity;
  // A rotation of the anchor waits for this; 3,000 proxies in five minutes are ten certificates a second.
  const spreadMs = renewSpread ?? Math.min(certificateLifetime / 10, maxSpreadMs);
  const publishBundle = (): void => {
    catalogue.put(kinds.bundle, bundleName, bundleOf(authority.issuing, spreadMs), [bundleTopic]);
  };
  publishBundle();
  changed = (next) => {
    authority.setIssuing(next);
    publishBundle();
    server.cutDenied();
    own.renew();
  };
  wireFaults(faults, catalogue, sessions, server);
  for (const source of sources) await source.start(catalogue.addSource(source.name));
  const rotation = issuerRotation(config, authority, lease, clock, log);
  const grpcPort = await server.listen(config.listen.host, config.listen.port);
  let admin: AdminServer | undefined;
  const controller = {
    grpcPort,
    adminPort: 0,
    clock,
    authority,
    catalogue,
    sessions,
    events,
    faults,
    lease,
    async stop() {
      rotation?.cancel();
      own.stop();
      for (const source of sources) await source.stop();
      await store.stop();
      await server.close();
      await admin?.close();
      await lease.stop();
    },
  };
  const metrics = controllerMetrics({
    authority,
    events,
    catalogue,
    sessions,
    propagation,
    faults,
    lease,
    clock,
  });
  admin = await startAdmin(controller, metrics, config.admin);
  controller.adminPort = admin.port;
  return controller;
}

function firstOf<T>(
  sources: readonly DiscoverySource[],
  ask: (source: DiscoverySource) => T | undefined,
): T | undefined {
  for (const source of sources) {
    const answer = ask(source);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function bundleOf(issuing: Issuing, spreadMs: number): unknown {
  return {
    anchors: issuing.anchors.map((anchor) => anchor.toString()),
    issuer: issuerHash(issuing),
    renewSpreadMs: Math.round(spreadMs),
    denied: issuing.denied ?? [],
  };
}

async function issuerStore(config: ControllerConfig, context: PluginContext): Promise<IssuerStore> {
  const { issuer } = config.identity;
  switch (issuer.kind) {
    case 'files': {
      if (issuer.create) await ensurePki(issuer.folder, { trustDomain: config.trustDomain });
      const { folder, trustAnchorsFile, certificateFile, keyFile } = issuer;
      const files = pkiFiles(folder);
      return new FileIssuerStore(
        {
          trustAnchorsFile: trustAnchorsFile ?? files.trustAnchorsFile,
          certificateFile: certificateFile ?? files.certificateFile,
          keyFile: keyFile ?? files.keyFile,
        },
        { clock: context.clock },
      );
    }
    case 'kubernetes':
      return (await loadKubernetesPlugin()).createIssuerStore(issuer, context);
    case 'vault-pki':
    case 'vault-transit': {
      const { createVaultStore } = await import('../identity/vault.js');
      const store = createVaultStore(issuer, context.clock);
      if (!issuer.bundle) return store;
      return (await loadKubernetesPlugin()).publishBundle(store, issuer.bundle);
    }
  }
}

async function attestors(config: ControllerConfig, context: PluginContext): Promise<Attestor[]> {
  const list: Attestor[] = [];
  const { joinTokens, kubernetes } = config.identity;
  if (joinTokens) list.push(new JoinTokens(joinTokens.folder, context.clock));
  if (kubernetes)
    list.push(await (await loadKubernetesPlugin()).createAttestor(kubernetes, context));
  return list;
}

async function discoverySources(
  config: ControllerConfig,
  context: PluginContext,
): Promise<DiscoverySource[]> {
  const sources: DiscoverySource[] = [];
  for (const source of config.discovery) {
    if (source.kind === 'file') {
      const { trustDomain, clock } = context;
      sources.push(new FileSource({ path: source.path, trustDomain, clock }));
    } else {
      const { kind: _, ...rest } = source;
      sources.push(await (await loadKubernetesPlugin()).createSource(rest, context));
    }
  }
  return sources;
}

function wireFaults(
  faults: ControllerFaults,
  catalogue: Catalogue,
  sessions: Sessions,
  server: ControlServer,
): void {
  sessions.stalled = () => faults.strikes('stream-stall');
  server.refusing = () => faults.strikes('stream-refuse');
  catalogue.frozen = () => faults.strikes('discovery-freeze');
  faults.onToggle = (kind, on) => {
    if (kind === 'stream-refuse' && on) faults.strikes('stream-refuse', server.cutStreams());
    if (kind === 'stream-stall' && !on) sessions.flush();
    if (kind === 'discovery-freeze' && !on) catalogue.thaw();
  };
}

/** The leader makes a new issuer at two thirds of the old one's life, if the anchor's key is available. */
function issuerRotation(
  config: ControllerConfig,
  authority: CertificateAuthority,
  lease: Lease,
  clock: Clock,
  log: (line: string) => void,
): Timer | undefined {
  const { issuer, rotateIssuer: wanted } = config.identity;
  if (!wanted || issuer.kind !== 'files') return undefined;
  return clock.every(Math.min(60_000, config.identity.certificateLifetime), () => {
    const [current] = authority.issuing.chain;
    if (!current || !lease.leading()) return;
    const [from, until] = [notBeforeMs(current), notAfterMs(current)];
    if (clock.nowMs() < from + ((until - from) * 2) / 3) return;
    rotateIssuer(issuer.folder, {
      trustDomain: config.trustDomain,
      issuerLifetimeMs: until - from,
      clock,
    }).then(
      (made) => log(`new issuer until ${made.validTo} in ${join(issuer.folder, 'issuer.crt')}`),
      (error: unknown) => log(`a new issuer could not be made: ${messageOf(error)}`),
    );
  });
}
