/** Answers the API server's admission requests: a pod to inject, an object to accept or refuse. No I/O. */
import type { AnyObject } from '../client/objects.js';
import { annotations as ann, labels as names } from '../annotations.js';
import type { Namespace, PodSpec } from '../discovery/types.js';
import { redirects } from './containers.js';
import { injectPod, type InjectOptions, type PodLike, type Skipped } from './inject.js';
import { problemsOfObject } from './validate.js';

export interface AdmissionReview {
  apiVersion: string;
  kind: string;
  request: {
    uid: string;
    namespace?: string;
    operation?: string;
    dryRun?: boolean;
    object: AnyObject | null;
  };
}

export interface AdmissionAnswer {
  apiVersion: string;
  kind: 'AdmissionReview';
  response: {
    uid: string;
    allowed: boolean;
    status?: { code: number; message: string };
    warnings?: string[];
    patchType?: 'JSONPatch';
    patch?: string;
  };
}

interface PatchStep {
  op: 'add' | 'replace' | 'remove';
  path: string;
  value?: unknown;
}

export interface InjectAnswer {
  answer: AdmissionAnswer;
  skipped?: Skipped;
  /** The reason why the API server will refuse the injected pod. */
  refusable?: string;
}

export function answerInject(
  review: AdmissionReview,
  namespace: Namespace | undefined,
  options: InjectOptions,
): InjectAnswer {
  const pod = review.request.object as unknown as PodLike | null;
  if (!pod?.spec) return { answer: allow(review) };
  const name = review.request.namespace ?? 'default';
  const { annotations, labels } = namespace?.metadata ?? {};
  const result = injectPod(pod, { name, annotations, labels }, options);
  if ('skipped' in result) {
    const answer = allow(review);
    if (result.skipped === 'BadAnnotation' && result.message.startsWith(ann.defaultInboundPolicy)) {
      // A user who asked for a policy and misspelt it must not get a pod that is open to all.
      answer.response.allowed = false;
      answer.response.status = { code: 422, message: result.message };
    } else if (result.skipped === 'BadAnnotation') {
      answer.response.warnings = [`firedrill did not inject: ${result.message}`];
    }
    return { answer, skipped: result };
  }
  const answer = allow(review);
  answer.response.patchType = 'JSONPatch';
  answer.response.patch = Buffer.from(JSON.stringify(patchOf(pod, result.pod))).toString('base64');
  const refusable = podSecurityProblem(result.pod, name, labels);
  if (refusable === undefined) return { answer };
  answer.response.warnings = [`firedrill: ${refusable}`];
  return { answer, refusable };
}

/** The levels of Pod Security that allow no pod to write its own redirection. */
export const strictLevels: readonly string[] = ['baseline', 'restricted'];

function podSecurityProblem(
  { spec }: PodLike,
  namespace: string,
  labels: Record<string, string> | undefined,
): string | undefined {
  const level = labels?.[names.podSecurity] ?? '';
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  const writer = all.find(redirects);
  if (!strictLevels.includes(level) || !writer) return undefined;
  return (
    `namespace ${namespace} enforces Pod Security '${level}', which refuses the capability NET_ADMIN of ` +
    `${writer.name}: let the nodes redirect (firedrill upgrade --set redirector.enabled=true --apply), ` +
    `or annotate ${ann.mode}: explicit`
  );
}

/** Replaces whole lists, which is short, and correct regardless of other webhooks' changes. */
export function patchOf(before: PodLike, after: PodLike): PatchStep[] {
  const steps: PatchStep[] = [
    {
      op: before.metadata.annotations ? 'replace' : 'add',
      path: '/metadata/annotations',
      value: after.metadata.annotations ?? {},
    },
  ];
  for (const field of ['initContainers', 'containers', 'volumes'] as const) {
    const value = after.spec[field as keyof PodSpec];
    if (JSON.stringify(before.spec[field]) === JSON.stringify(value)) continue;
    const path = `/spec/${field}`;
    // A copy of an injected pod may have nothing left of a list without our parts.
    if (value === undefined) steps.push({ op: 'remove', path });
    else steps.push({ op: before.spec[field] ? 'replace' : 'add', path, value });
  }
  return steps;
}

export function answerValidate(review: AdmissionReview): AdmissionAnswer {
  const { object } = review.request;
  const problems = object ? problemsOfObject(object) : [];
  const answer = allow(review);
  if (problems.length === 0 || !object) return answer;
  const name = `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;
  const message = problems.map((p) => `${p.path}: ${p.message}`).join('; ');
  answer.response.allowed = false;
  answer.response.status = { code: 422, message: `${name} cannot work: ${message}` };
  return answer;
}

const allow = (review: AdmissionReview): AdmissionAnswer => ({
  apiVersion: review.apiVersion,
  kind: 'AdmissionReview',
  response: { uid: review.request.uid, allowed: true },
});
