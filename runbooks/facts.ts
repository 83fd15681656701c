/** The live facts for a page: from an alert in Alertmanager's format, or written by hand. */
import * as z from 'zod';
import { UserError } from '../base/errors.js';
import { type YamlDocument, checkYaml } from '../base/yaml.js';

const text = z.string();

const answers = z.record(
  text,
  z.array(z.strictObject({ labels: z.record(text, text), value: z.number() })),
);

/** The facts in our own format; each may be absent, and the page then shows a placeholder. */
const factsSchema = z.strictObject({
  alert: text.optional(),
  severity: text.optional(),
  summary: text.optional(),
  description: text.optional(),
  /** RFC 3339. */
  startedAt: text.optional(),
  value: z.union([text, z.number()]).optional(),
  labels: z.record(text, text).optional(),
  service: text.optional(),
  namespace: text.optional(),
  workload: text.optional(),
  /** Workloads that call the service. */
  callers: z.array(text).optional(),
  owner: text.optional(),
  slo: text.optional(),
  /** Admin addresses of the affected proxies, `host:port`. */
  proxies: z.array(text).optional(),
  /** The controller's admin URL. */
  controller: text.optional(),
  prometheus: text.optional(),
  /** The trust domain's folder of keys, if the issuer is stored in files. */
  pki: text.optional(),
  /** The suffix of the mesh's identities. */
  trustDomain: text.optional(),
  /** A working copy of the registry's, profiles' and policies' files. */
  config: text.optional(),
  /** The SLO files that the rules were generated from. */
  slos: text.optional(),
  /** For an SLO: queries that break down its own bad events, and that show whether it is measured at all. */
  ownBad: z.array(text).optional(),
  ownPresent: z.array(text).optional(),
  /** The burn rates at which its alerts fire. */
  burns: text.optional(),
  /** False if the service has no sidecar: the steps that ask the mesh are left out. */
  mesh: z.boolean().optional(),
  /** The range of queries about the present; default 5m. */
  window: text.optional(),
  certificates: z
    .array(
      z.strictObject({
        identity: text,
        notAfter: text,
        serial: text.optional(),
      }),
    )
    .optional(),
  /** Observations while the alert fired, with the command that shows each. */
  observed: z
    .array(z.strictObject({ name: text, value: text, command: text.optional() }))
    .optional(),
  links: z.array(z.strictObject({ title: text, url: text })).optional(),
  /** Answers to the page's queries, by the query as the page shows it: series with labels and value. */
  answers: answers.optional(),
  /** The same, as they were some minutes before the alert. */
  answersBefore: answers.optional(),
});

export type RunbookFacts = z.infer<typeof factsSchema>;

/** An alert of Alertmanager's API v2 (`amtool alert query -o json`) or of its webhook. */
const amAlert = z.looseObject({
  labels: z.record(text, text),
  annotations: z.record(text, text).optional(),
  startsAt: text.optional(),
  generatorURL: text.optional(),
});

/**
 * Facts of a file: our own format, an alert, a list of alerts, or a webhook's body; in a list, the first alert of that
 * name.
 */
export function readFacts(document: YamlDocument, alert: string | undefined): RunbookFacts {
  const value = document.value as Record<string, unknown> | unknown[] | null;
  const list = Array.isArray(value)
    ? value
    : Array.isArray(value?.alerts)
      ? value.alerts
      : undefined;
  const alerts = list ?? (isAlert(value) ? [value] : undefined);
  if (!alerts) return checkYaml(document, factsSchema);
  const parsed = alerts.map((a) => amAlert.safeParse(a));
  const wrong = parsed.find((p) => !p.success);
  if (wrong) {
    throw new UserError({
      place: document.placeOf([]),
      message: 'an alert without labels',
      expected: "what `amtool alert query -o json` prints, or the body of Alertmanager's webhook",
    });
  }
  const all = parsed.flatMap((p) => (p.success ? [p.data] : []));
  const own = all.find((a) => alert === undefined || a.labels.alertname === alert) ?? all[0];
  return own ? factsOfAlert(own) : {};
}

const isAlert = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'labels' in value &&
  ('annotations' in value || 'startsAt' in value);

export interface FiredAlert {
  labels: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>> | undefined;
  startsAt?: string | undefined;
  generatorURL?: string | undefined;
}

/** The facts in an alert's labels and annotations. */
export function factsOfAlert(alert: FiredAlert): RunbookFacts {
  const { labels, annotations = {} } = alert;
  const links = [
    ['dashboard', annotations.dashboard_url],
    ['query', alert.generatorURL],
  ].flatMap(([title, url]) => (title && url ? [{ title, url }] : []));
  const optional = {
    alert: labels.alertname,
    severity: labels.severity,
    summary: annotations.summary,
    description: annotations.description,
    startedAt: alert.startsAt,
    slo: labels.slo,
    owner: labels.owner,
  };
  const present = Object.entries(optional).filter(([, v]) => v !== undefined && v !== '');
  return {
    labels: { ...labels },
    ...Object.fromEntries(present),
    ...(links.length > 0 ? { links } : {}),
  };
}

/** Service, namespace and workload, from any label that names them: `dst="cart.retail"` is cart in retail. */
export function placeOf(facts: RunbookFacts): {
  service: string | undefined;
  namespace: string | undefined;
  workload: string | undefined;
} {
  const labels = facts.labels ?? {};
  const [dst, dstNamespace] = (labels.dst ?? '').split('.');
  const none = (value: string | undefined): string | undefined => (value ? value : undefined);
  // Alerts about the mesh itself have `service="mesh"`, which is no destination.
  const labelled = labels.service === 'mesh' ? undefined : labels.service;
  const service = facts.service ?? labelled ?? none(dst) ?? labels.workload;
  return {
    service: none(service),
    namespace: none(facts.namespace ?? labels.namespace ?? dstNamespace),
    workload: none(facts.workload ?? labels.workload ?? labels.deployment ?? service),
  };
}
