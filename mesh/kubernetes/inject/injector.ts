/** The injector as a server: HTTPS for the API server's webhooks, with a certificate that is renewed while it runs. */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import { Informer } from '../client/informer.js';
import { resources } from '../client/objects.js';
import type { Namespace } from '../discovery/types.js';
import {
  type AdmissionAnswer,
  type AdmissionReview,
  answerInject,
  answerValidate,
} from './admission.js';
import { certificateMetrics } from './certificate.js';
import { eventTarget, type EventText, recordEvent } from './event.js';
import type { InjectOptions, Skipped, SkipReason } from './inject.js';
import { namespaceLookup } from './namespace-lookup.js';
import { Publication } from './publication.js';

export interface InjectorOptions {
  listen: { host: string; port: number };
  namespace: string;
  serviceName: string;
  /** Additional names in the serving certificate. */
  extraNames?: string[];
  certificateSecret: string;
  mutatingWebhook: string;
  validatingWebhook: string;
  /** Absent: pods read the bundle from the ConfigMap of their namespace. */
  trustAnchorsConfigMap?: string;
  certificateLifetimeMs: number;
  replica: string;
  inject: Omit<InjectOptions, 'trustAnchors'>;
}

export interface Injector {
  port: number;
  stop(): Promise<void>;
}

const maxBodyBytes = 8 * 1024 * 1024;
/** Reasons that an Event reports. The others are the rule in most namespaces: an Event for each pod would be noise. */
const toldReasons = new Set<SkipReason>([
  'Disabled',
  'HostNetwork',
  'BadAnnotation',
  'NameTaken',
  'PortTaken',
  'OtherMesh',
  'UserTaken',
  'Windows',
  'JobNeedsNativeSidecar',
]);

export async function startInjector(
  api: KubeApi,
  clock: Clock,
  options: InjectorOptions,
  log: (line: string) => void,
): Promise<Injector> {
  const { namespace, serviceName, trustAnchorsConfigMap: bundleName } = options;
  const onProblem = (message: string | undefined): void => void (message && log(message));
  const namespaces = new Informer<Namespace>(api, resources.Namespace, { onProblem });
  const bundle = new Informer<{ data?: Record<string, string> } & Namespace>(
    api,
    resources.ConfigMap,
    { namespace, fieldSelector: `metadata.name=${bundleName ?? 'none'}`, onProblem },
  );
  await namespaces.start();
  if (bundleName) await bundle.start();
  const trustAnchors = (): string | undefined =>
    bundleName ? bundle.get(namespace, bundleName)?.data?.['ca.crt'] : undefined;
  const publication = await Publication.open(
    api,
    {
      ...options,
      secret: options.certificateSecret,
      dnsNames: [`${serviceName}.${namespace}.svc`, ...(options.extraNames ?? [])],
      lifetimeMs: options.certificateLifetimeMs,
      clock,
    },
    log,
  );
  const lookup = namespaceLookup(api, namespaces, clock);
  const inject = async (review: AdmissionReview): Promise<AdmissionAnswer> => {
    const where = review.request.namespace ?? 'default';
    const inForce = { ...options.inject, trustAnchors: trustAnchors() };
    const { answer, skipped, refusable } = answerInject(review, await lookup(where), inForce);
    const target = review.request.object && eventTarget(review.request.object, where);
    const told = refusable === undefined ? skipped && eventOf(skipped) : refusalOf(refusable);
    if (told && target && !review.request.dryRun)
      recordEvent(api, clock, target, options.replica, told).catch((error: unknown) =>
        log(`event: ${messageOf(error)}`),
      );
    return answer;
  };
  /** The reason to be unready: the API server would not trust this server, and pods would start without a proxy. */
  const unready = (): string | undefined => {
    if (!publication.published) return 'the webhook configurations do not name the CA yet';
    if (bundleName && !trustAnchors()) return 'the controller has not written its trust bundle yet';
    return undefined;
  };
  const read = (path: string): [status: number, text: string] => {
    if (path === '/metrics') return [200, certificateMetrics(publication.serving)];
    const problem = path === '/ready' ? unready() : undefined;
    return problem === undefined ? [200, 'ok\n'] : [503, `${problem}\n`];
  };
  const { certificate, key } = publication.serving;
  const server = webhookServer({ cert: certificate, key }, read, inject, log);
  await listening(server, options.listen);
  await publication.start(clock, (s) =>
    server.setSecureContext({ cert: s.certificate, key: s.key }),
  );
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      publication.stop();
      namespaces.stop();
      bundle.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function eventOf({ skipped, message }: Skipped): EventText | undefined {
  if (!toldReasons.has(skipped)) return undefined;
  return {
    type: skipped === 'Disabled' ? 'Normal' : 'Warning',
    reason: `InjectionSkipped${skipped}`,
    action: 'Inject',
    note: `no proxy was injected: ${message}`.slice(0, 1000),
  };
}

const refusalOf = (problem: string): EventText => ({
  type: 'Warning',
  reason: 'InjectionForbidden',
  action: 'Inject',
  note: problem.slice(0, 1000),
});

function webhookServer(
  tls: { cert: string; key: string },
  read: (path: string) => [status: number, text: string],
  inject: (review: AdmissionReview) => Promise<AdmissionAnswer>,
  log: (line: string) => void,
): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url = '' } = request;
    if (method === 'GET') {
      const [status, text] = read(url);
      // Prometheus 3 reads no metrics without a content type.
      response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' }).end(text);
      return;
    }
    const review = JSON.parse(await readBody(request)) as AdmissionReview;
    send(response, url.startsWith('/validate') ? answerValidate(review) : await inject(review));
  };
  return createServer({ ...tls, minVersion: 'TLSv1.2' }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log(`webhook: ${messageOf(error)}`);
      if (!response.headersSent) response.writeHead(500).end(`${messageOf(error)}\n`);
    });
  });
}

function listening(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function send(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new Error(`a review of more than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
