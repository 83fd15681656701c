/** Turns contacts into Alertmanager's receivers: the text of a message, and the file that holds the secret. */
import type { AmReceiver } from './config.js';
import type { Contact } from './declaration.js';

const count = '{{ .Alerts.Firing | len }}';
const title =
  `[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:${count}{{ end }}] ` +
  '{{ with .CommonLabels.alertname }}{{ . }}{{ else }}{{ .Alerts | len }} alerts{{ end }}' +
  '{{ with .GroupLabels.service }} on {{ . }}{{ end }}{{ with .GroupLabels.region }} in {{ . }}{{ end }}';
/** One line for each alert, with its next step. */
const lines =
  '{{ range .Alerts }}{{ .Annotations.summary }}' +
  '{{ with .Annotations.description }}\n{{ . }}{{ end }}' +
  '{{ with .Annotations.runbook_url }}\nRunbook: {{ . }}{{ end }}' +
  '{{ with .Annotations.dashboard_url }}\nDashboard: {{ . }}{{ end }}\n{{ end }}';
const runbook = '{{ (index .Alerts 0).Annotations.runbook_url }}';
const dashboard = '{{ (index .Alerts 0).Annotations.dashboard_url }}';

/** `urgency` is the rank of the severity: 0 is the most urgent. */
export function receiverOf(
  name: string,
  contacts: readonly Contact[],
  urgency: number,
): AmReceiver {
  const receiver: AmReceiver = { name };
  for (const contact of contacts) {
    const [kind, config] = configOf(contact, urgency);
    const key = `${kind}_configs` as const;
    receiver[key] = [...(receiver[key] ?? []), config];
  }
  return receiver;
}

function configOf(contact: Contact, urgency: number): [string, Record<string, unknown>] {
  if (contact.pagerduty) {
    return [
      'pagerduty',
      {
        routing_key_file: contact.pagerduty.routingKeyFile,
        severity: urgency === 0 ? 'critical' : 'warning',
        description: title,
        client: 'Firedrill',
        component: '{{ .GroupLabels.service }}',
        group: '{{ .GroupLabels.region }}',
        details: { firing: lines, runbook, dashboard },
        send_resolved: true,
      },
    ];
  }
  if (contact.opsgenie) {
    const { apiKeyFile, apiUrl, team, priority } = contact.opsgenie;
    return [
      'opsgenie',
      {
        api_key_file: apiKeyFile,
        ...(apiUrl === undefined ? {} : { api_url: apiUrl }),
        message: title,
        description: lines,
        priority: priority ?? (urgency === 0 ? 'P1' : 'P3'),
        ...(team === undefined ? {} : { responders: [{ name: team, type: 'team' }] }),
        details: { runbook, dashboard },
        send_resolved: true,
      },
    ];
  }
  if (contact.slack) {
    return [
      'slack',
      {
        api_url_file: contact.slack.apiUrlFile,
        channel: contact.slack.channel,
        color: `{{ if eq .Status "firing" }}${urgency === 0 ? 'danger' : 'warning'}{{ else }}good{{ end }}`,
        title,
        text: lines,
        actions: [
          { type: 'button', text: 'Runbook', url: runbook },
          { type: 'button', text: 'Dashboard', url: dashboard },
        ],
        send_resolved: true,
      },
    ];
  }
  if (contact.email) {
    const { to, from, smarthost, username, passwordFile, requireTls } = contact.email;
    return [
      'email',
      {
        to,
        from,
        smarthost,
        ...(username === undefined ? {} : { auth_username: username }),
        ...(passwordFile === undefined ? {} : { auth_password_file: passwordFile }),
        require_tls: requireTls,
        headers: { Subject: title },
        text: lines,
        send_resolved: true,
      },
    ];
  }
  if (!contact.webhook) throw new Error('a contact of no kind');
  const { url, urlFile, bearerTokenFile, maxAlerts } = contact.webhook;
  return [
    'webhook',
    {
      ...(url === undefined ? { url_file: urlFile } : { url }),
      ...(bearerTokenFile === undefined
        ? {}
        : {
            http_config: { authorization: { type: 'Bearer', credentials_file: bearerTokenFile } },
          }),
      ...(maxAlerts === undefined ? {} : { max_alerts: maxAlerts }),
      send_resolved: true,
    },
  ];
}
