/** Requests to a Prometheus and an Alertmanager that this process started. */
import { boundedJson } from '../../base/bounded-answer.js';
import type { Fetch } from '../../base/access.js';
import { exitCode, UserError, whyUnanswered } from '../../base/errors.js';
import type { ActiveAlert, Target } from './model.js';
import type { KnownRule } from './standing.js';

/** Bounded in time; a status other than 2xx is an error. */
export async function getJson(url: string, fetcher: Fetch = fetch): Promise<unknown> {
  const response = await fetcher(url, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return boundedJson(response);
}

export const isReady = async (url: string, fetcher: Fetch = fetch): Promise<boolean> =>
  (await fetcher(`${url}/-/ready`, { signal: AbortSignal.timeout(2000) })).ok;

/** Prometheus discovers its targets and Alertmanager every five seconds; earlier alerts would be dropped. */
export async function hasDiscovered(url: string, targets: readonly Target[]): Promise<boolean> {
  const managers = (await getJson(`${url}/api/v1/alertmanagers`)) as {
    data: { activeAlertmanagers: unknown[] };
  };
  const active = (await getJson(`${url}/api/v1/targets?state=active`)) as {
    data: { activeTargets: unknown[] };
  };
  return (
    managers.data.activeAlertmanagers.length > 0 &&
    active.data.activeTargets.length >= targets.length
  );
}

export async function versionsOf(prometheusUrl: string, alertmanagerUrl: string): Promise<string> {
  const info = (await getJson(`${prometheusUrl}/api/v1/status/buildinfo`)) as {
    data: { version: string };
  };
  const status = (await getJson(`${alertmanagerUrl}/api/v2/status`)) as {
    versionInfo: { version: string };
  };
  return [
    `Prometheus ${versionText(info.data.version)}`,
    `Alertmanager ${versionText(status.versionInfo.version)}`,
  ].join(', ');
}

/** A program that was built by `go install` does not know its version. */
export const versionText = (version: string | undefined): string =>
  version === undefined || version === '' ? 'of an unknown version' : version;

interface AnsweredAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  state: 'pending' | 'firing';
  activeAt: string;
  value: string;
}

interface AnsweredAlerts {
  data: { alerts: AnsweredAlert[] };
}

export async function activeAlerts(url: string, fetcher: Fetch = fetch): Promise<ActiveAlert[]> {
  let alerts: AnsweredAlert[];
  try {
    const answer = (await getJson(`${url}/api/v1/alerts`, fetcher)) as Partial<AnsweredAlerts>;
    if (!Array.isArray(answer.data?.alerts)) throw new Error('its answer has no list of alerts');
    alerts = answer.data.alerts;
  } catch (error) {
    const text = `Prometheus at ${url} does not return its alerts: ${whyUnanswered(error)}`;
    throw new UserError(text, exitCode.environment);
  }
  return alerts.map((alert) => ({
    state: alert.state,
    labels: alert.labels,
    annotations: alert.annotations,
    activeAtMs: Date.parse(alert.activeAt),
    value: Number(alert.value),
  }));
}

interface AnsweredRule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  lastError?: string;
}

export async function knownRules(url: string, fetcher: Fetch = fetch): Promise<KnownRule[]> {
  const answer = (await getJson(`${url}/api/v1/rules`, fetcher)) as {
    data: { groups: { rules: AnsweredRule[] }[] };
  };
  return answer.data.groups.flatMap((group) =>
    group.rules.map((rule): KnownRule => ({
      kind: rule.type === 'alerting' ? 'alert' : 'record',
      name: rule.name,
      expr: rule.query,
      ...(rule.lastError ? { lastError: rule.lastError } : {}),
    })),
  );
}
