/** The injector as a server: HTTPS for the API server's webhooks, its certificate renewed while it runs. */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import { Informer } from '../client/informer.js';
import { resources } from '../client/objects.js';
import type { Namespace } from '../discovery/types.js';
import { type AdmissionReview, answerInject, answerValidate } from './admission.js';
import { certificateMetrics, ensureServingCertificate, patchBundle } from './certificate.js';
import { eventTarget, recordEvent } from './event.js';
import type { InjectOptions, SkipReason } from './inject.js';

export interface InjectorOptions {
  listen: { host: string; port: number };
  namespace: string;
  serviceName: string;
  /** Further names in the serving certificate. */
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
const checkEveryMs = 60_000;
/** Told by an Event. The others are the rule in most namespaces, and nobody wants an Event for each of their pods. */
const toldReasons = new Set<SkipReason>([
  'Disabled',
  'HostNetwork',
  'BadAnnotation',
  'NameTaken',
  'JobNeedsNativeSidecar',
]);

export async function startInjector(
  api: KubeApi,
  clock: Clock,
  options: InjectorOptions,
  log: (line: string) => void,
): Promise<Injector> {
  const { namespace, serviceName } = options;
  const names = [`${serviceName}.${namespace}.svc`, ...(options.extraNames ?? [])];
  const namespaces = new Informer<Namespace>(api, resources.Namespace, {
    onProblem: (message) => message && log(message),
  });
  const bundle = new Informer<{ data?: Record<string, string> } & Namespace>(
    api,
    resources.ConfigMap,
    {
      namespace,
      fieldSelector: `metadata.name=${options.trustAnchorsConfigMap ?? 'none'}`,
      onProblem: (message) => message && log(message),
    },
  );
  await namespaces.start();
  if (options.trustAnchorsConfigMap) await bundle.start();
  const certificate = () =>
    ensureServingCertificate(api, {
      namespace,
      secret: options.certificateSecret,
      dnsNames: names,
      lifetimeMs: options.certificateLifetimeMs,
      clock,
    });
  let serving = await certificate();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET') {
      response.end(request.url === '/metrics' ? certificateMetrics(serving) : 'ok\n');
      return;
    }
    const review = JSON.parse(await readBody(request)) as AdmissionReview;
    if (request.url?.startsWith('/validate')) return send(response, answerValidate(review));
    const trustAnchors = options.trustAnchorsConfigMap
      ? bundle.get(namespace, options.trustAnchorsConfigMap)?.data?.['ca.crt']
      : undefined;
    const where = review.request.namespace ?? 'default';
    const made = answerInject(review, namespaces.get('', where), {
      ...options.inject,
      trustAnchors,
    });
    send(response, made.answer);
    const { skipped } = made;
    const target = review.request.object && eventTarget(review.request.object, where);
    if (!skipped || !target || review.request.dryRun || !toldReasons.has(skipped.skipped)) return;
    await recordEvent(api, clock, target, options.replica, {
      type: skipped.skipped === 'Disabled' ? 'Normal' : 'Warning',
      reason: `InjectionSkipped${skipped.skipped}`,
      action: 'Inject',
      note: `no proxy was injected: ${skipped.message}`.slice(0, 1000),
    });
  };
  const tls = { cert: serving.certificate, key: serving.key, minVersion: 'TLSv1.2' as const };
  const server = createServer(tls, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log(`webhook: ${messageOf(error)}`);
      if (!response.headersSent) response.writeHead(400).end(`${messageOf(error)}\n`);
    });
  });
  await listening(server, options.listen);
  const publish = async (): Promise<void> => {
    await patchBundle(api, 'MutatingWebhookConfiguration', options.mutatingWebhook, serving.ca);
    await patchBundle(api, 'ValidatingWebhookConfiguration', options.validatingWebhook, serving.ca);
  };
  await publish();
  // Also mends a caBundle that someone else wrote over.
  const timer = clock.every(checkEveryMs, () => {
    certificate()
      .then(async (next) => {
        if (next.certificate !== serving.certificate) {
          server.setSecureContext({ cert: next.certificate, key: next.key });
          log('webhook certificate renewed');
        }
        serving = next;
        await publish();
      })
      .catch((error: unknown) => log(`webhook certificate: ${messageOf(error)}`));
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      timer.cancel();
      namespaces.stop();
      bundle.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
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
