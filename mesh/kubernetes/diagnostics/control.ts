/** Entries about the control plane and certificates. */
import { X509Certificate } from 'node:crypto';
import { notAfterMs } from '../../identity/x509.js';
import { annotations, proxyContainer } from '../annotations.js';
import { customKinds } from '../crds/definitions.js';
import type { Namespace } from '../discovery/types.js';
import { injectPod, type PodLike } from '../inject/inject.js';
import { injectOptionsOf } from '../inject/config.js';
import { names } from '../install/names.js';
import { defaultValues } from '../install/values.js';
import { findDrift } from '../observe/drift.js';
import { hasEnded, isMeshed } from '../discovery/workload.js';
import type { AnyObject } from '../client/objects.js';
import {
  at,
  type Entry,
  type Finding,
  meshedPods,
  named,
  ofKind,
  podsOf,
  proxyName,
  sum,
} from './entry.js';
import { networkEntry } from './network.js';

const propagation: Entry = {
  id: 'slow-config-propagation',
  symptom: 'a change takes minutes to arrive, or never does',
  find: ({ proxies, nowMs }) =>
    proxies.flatMap((p): Finding[] => {
      const one = (cause: string, fix: string): Finding[] => [{ where: proxyName(p), cause, fix }];
      const rejected = sum(p.after, 'control_rejected_updates_total');
      if (rejected > 0)
        return one(
          `it refused ${rejected} updates and serves the last good state`,
          'see its log for what it could not take',
        );
      if (sum(p.after, 'control_configured') > 0 && sum(p.after, 'control_connected') === 0) {
        const last = sum(p.after, 'control_last_contact_timestamp_seconds');
        const since = last === 0 ? 'ever' : `for ${Math.round(nowMs / 1000 - last)} s`;
        return one(
          `it has had no word from the controller ${since}`,
          'firedrill check; then NetworkPolicies towards port 8086',
        );
      }
      return [];
    }),
};

const early: Entry = {
  id: 'certificates-expire-early',
  symptom: 'certificates expire before they are renewed',
  find: ({ proxies, nowMs }) =>
    proxies.flatMap((p): Finding[] => {
      const end = sum(p.after, 'identity_cert_expiration_timestamp_seconds');
      const begin = sum(p.after, 'identity_cert_not_before_timestamp_seconds');
      if (end === 0) return [];
      const now = nowMs / 1000;
      const errors = sum(p.after, 'identity_cert_refreshes_total', (l) => l.result === 'error');
      const where = proxyName(p);
      if (now < begin) {
        const cause = `its certificate begins in ${Math.round(begin - now)} s: the clocks differ`;
        return [{ where, cause, fix: 'synchronise the clocks of this node and of the controller' }];
      }
      // Renewal is due at 2/3 of the lifetime; at 5/6, several attempts have failed.
      if (now < begin + ((end - begin) * 5) / 6) return [];
      const cause = `${Math.round((end - now) / 60)} min are left of its certificate, ${errors} renewals failed`;
      return [
        {
          where,
          cause,
          fix: 'see the controller; a longer certificateLifetime leaves more time to act',
        },
      ];
    }),
};

const skipped: Entry = {
  id: 'injection-skipped',
  symptom: 'a pod has no proxy',
  find: (facts) =>
    podsOf(facts).flatMap((pod): Finding[] => {
      if (isMeshed(pod) || hasEnded(pod)) return [];
      const name = pod.metadata.namespace ?? 'default';
      const namespace = ofKind(facts, 'Namespace').find((n) => n.metadata.name === name) as
        Namespace | undefined;
      const meta = { ...namespace?.metadata.labels, ...pod.metadata.labels };
      if (meta[annotations.inject] !== undefined) {
        const cause = `${annotations.inject} is a label there; it is read as an annotation`;
        return [{ where: named(pod), cause, fix: 'move it to the annotations' }];
      }
      const own = pod.metadata.annotations?.[annotations.inject];
      if ((own ?? namespace?.metadata.annotations?.[annotations.inject]) === undefined) return [];
      const like = pod as unknown as PodLike;
      const result = injectPod(
        like,
        { name, annotations: namespace?.metadata.annotations },
        injectOptionsOf(defaultValues()),
      );
      if ('skipped' in result) {
        if (result.skipped === 'Disabled') return [];
        return [
          { where: named(pod), cause: result.message, fix: 'correct that, then restart the pod' },
        ];
      }
      const cause =
        'it is asked for, and nothing speaks against it: the pod is older than that, or the webhook did not answer';
      return [{ where: named(pod), cause, fix: 'firedrill check, then restart the pod' }];
    }),
};

const webhook: Entry = {
  id: 'webhook-certificate-expired',
  symptom: 'no new pod gets a proxy, or no pod starts at all',
  find: (facts) =>
    ofKind(facts, 'Secret')
      .filter((s) => s.metadata.name === names.webhookSecret)
      .flatMap((s): Finding[] => {
        const pem = Buffer.from(String(at(s, 'data', 'tls.crt') ?? ''), 'base64').toString();
        if (pem === '')
          return [
            { where: named(s), cause: 'it is empty', fix: 'start the injector, which fills it' },
          ];
        const certificate = certificateOf(pem);
        if (!certificate)
          return [
            {
              where: named(s),
              cause: 'its tls.crt is no certificate',
              fix: 'delete it, then restart the injector, which makes it anew',
            },
          ];
        if (notAfterMs(certificate) > facts.nowMs) return [];
        const cause = `the certificate expired on ${certificate.validTo}`;
        return [
          {
            where: named(s),
            cause,
            fix: 'restart the injector: it renews its certificate when it starts',
          },
        ];
      }),
};

function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

const clusters: Entry = {
  id: 'drift-between-clusters',
  symptom: 'the same service behaves differently in two clusters',
  find: (facts) => {
    const found: Finding[] = findDrift(facts.proxies).map((d) => ({
      where: d.workload,
      cause: `its replicas hold ${d.variants.length} different policies`,
      fix: 'see slow-config-propagation for the ones behind',
    }));
    if (!facts.other) return found;
    const kinds = new Set<string>([...customKinds, 'HTTPRoute', 'GRPCRoute']);
    const index = (list: readonly AnyObject[]): Map<string, string> =>
      new Map(list.filter((o) => kinds.has(o.kind)).map((o) => [named(o), stable(o.spec)]));
    const [here, there] = [index(facts.objects), index(facts.other)];
    for (const name of new Set([...here.keys(), ...there.keys()])) {
      if (here.get(name) === there.get(name)) continue;
      const cause = !there.has(name)
        ? 'only here'
        : !here.has(name)
          ? 'only in the other cluster'
          : 'the specs differ';
      found.push({ where: name, cause, fix: 'apply both clusters from one source' });
    }
    return found;
  },
};

/** JSON with sorted keys, so that the order of fields does not matter. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const drain: Entry = {
  id: 'proxy-restarts-on-drain',
  symptom: 'requests fail, and the proxy restarts, while pods are replaced',
  find: (facts) =>
    meshedPods(facts).flatMap((pod): Finding[] => {
      const grace = Number(at(pod, 'spec', 'terminationGracePeriodSeconds') ?? 30);
      const own = pod.metadata.annotations ?? {};
      const config = parsedJson(own[annotations.proxyConfig] ?? '{}');
      const seconds = Number(at(config, 'drainSeconds') ?? own[annotations.drainSeconds] ?? 0);
      const found: Finding[] = [];
      if (seconds > grace) {
        found.push({
          where: named(pod),
          cause: `the proxy drains for ${seconds} s, and the pod is killed after ${grace} s`,
          fix: `raise terminationGracePeriodSeconds, or lower ${annotations.drainSeconds}`,
        });
      }
      // A native sidecar is among the init containers.
      const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
      const killed = [...initContainerStatuses, ...containerStatuses].find(
        (c) =>
          c.name === proxyContainer &&
          (c.restartCount ?? 0) > 0 &&
          c.lastState?.terminated?.exitCode === 137,
      );
      if (killed) {
        const memory = killed.lastState?.terminated?.reason === 'OOMKilled';
        found.push({
          where: named(pod),
          cause: `it was killed ${killed.restartCount} times (${killed.lastState?.terminated?.reason})`,
          fix: memory ? 'raise its memory limit' : 'give its liveness probe more time',
        });
      }
      return found;
    }),
};

export const controlEntries: Entry[] = [
  propagation,
  early,
  skipped,
  webhook,
  clusters,
  drain,
  networkEntry,
];
