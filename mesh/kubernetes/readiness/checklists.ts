/** The three checklists: before a service goes to production, of a mesh in production, and for an incident. */

/** The judgement of an item: by checks, by troubleshooting entries that must find nothing, or by a person. */
export interface Item {
  text: string;
  checks?: readonly string[];
  entries?: readonly string[];
  /** The inputs of the item's entries: without one of them the entries find nothing, and the item is not judged. */
  needs?: readonly Evidence[];
}

export type Evidence =
  | 'SLOs'
  | 'alert rules'
  | 'scrape configurations'
  | 'AuthorizationPolicies'
  | 'pods'
  | ProxyEvidence;

/** The parts of the proxies' answers; `requests`: enough of them to judge by. */
export type ProxyEvidence = 'proxies' | 'requests' | 'routes' | 'retries' | 'tracing';

export const checklists: Record<string, readonly Item[]> = {
  'pre-production': [
    {
      text: 'the cluster can run the mesh',
      checks: [
        'k8s-api-reachable',
        'k8s-api-version',
        'crds-established',
        'control-plane-available',
      ],
    },
    {
      text: 'every pod that should have a proxy has one',
      checks: ['proxy-injected'],
      entries: ['injection-skipped'],
      needs: ['pods'],
    },
    {
      text: 'routes are declared, and match what clients ask',
      entries: ['profile-missing-or-outdated'],
      needs: ['proxies', 'routes', 'requests'],
    },
    {
      text: 'retries have a budget',
      entries: ['aggressive-retries'],
      needs: ['proxies', 'retries'],
    },
    {
      text: 'pods drain before they are killed',
      entries: ['proxy-restarts-on-drain'],
      needs: ['pods'],
    },
    {
      text: 'network policies let the proxies work',
      entries: ['network-policy-blocks-proxy'],
      needs: ['pods'],
    },
    {
      text: 'requests and limits count the proxy',
      entries: ['capacity-without-proxy'],
      needs: ['pods'],
    },
    { text: 'each SLO has an owner', entries: ['slo-without-owner'], needs: ['SLOs'] },
    {
      text: 'alerts look at what users feel',
      entries: ['median-in-alert', 'pager-floods-in-deploys'],
      needs: ['alert rules'],
    },
    {
      text: 'traces cross queues, and logs name their trace',
      entries: ['traces-lost-over-queues', 'logs-without-trace-ids'],
      needs: ['proxies', 'tracing'],
    },
    { text: 'a game day was held, and every expected page came in time' },
    { text: 'the on-call has read the runbooks of the alerts that can page' },
  ],
  production: [
    {
      text: 'the control plane is available, with more than one replica',
      checks: ['control-plane-available', 'ha-replicas'],
    },
    {
      text: 'certificates last, from the anchor to the webhook',
      checks: [
        'identity-anchors-lasting',
        'identity-issuer-lasting',
        'identity-issuer-chained',
        'webhook-certificate-valid',
      ],
      entries: ['certificates-expire-early', 'webhook-certificate-expired'],
    },
    { text: 'the webhooks trust their certificate', checks: ['webhook-ca-bundle'] },
    { text: 'clocks agree', checks: ['k8s-clock-skew'] },
    {
      text: 'changes arrive at every proxy',
      entries: ['slow-config-propagation', 'drift-between-clusters'],
      needs: ['proxies'],
    },
    { text: 'proxies are ready and of one version', checks: ['proxy-ready', 'proxy-version'] },
    {
      text: 'metrics are whole and bounded',
      entries: ['metrics-missing-after-relabel', 'unbounded-labels', 'telemetry-gaps-at-peak'],
      needs: ['proxies', 'scrape configurations'],
    },
    {
      text: 'tracing costs what it is worth',
      entries: ['excessive-trace-sampling'],
      needs: ['proxies', 'tracing'],
    },
    {
      text: 'live requests are not for everybody to read',
      entries: ['unrestricted-tap'],
      needs: ['pods'],
    },
    {
      text: 'authorization names accounts that exist',
      entries: ['rbac-between-namespaces'],
      needs: ['AuthorizationPolicies'],
    },
    { text: 'error budgets were reviewed this month' },
    { text: 'the trust anchor was rolled over once, as an exercise' },
  ],
  incident: [
    { text: 'the control plane answers', checks: ['k8s-api-reachable', 'control-plane-available'] },
    {
      text: 'no certificate has expired',
      checks: ['identity-anchors-valid', 'identity-issuer-valid'],
      entries: ['certificates-expire-early'],
    },
    {
      text: 'retries do not feed the overload',
      entries: ['aggressive-retries'],
      needs: ['proxies', 'requests'],
    },
    {
      text: 'traffic goes where it was meant to',
      entries: ['new-version-gets-no-traffic', 'dns-errors'],
      needs: ['proxies', 'requests'],
    },
    {
      text: 'proxies are neither starved nor killed',
      entries: ['high-proxy-cpu', 'proxy-restarts-on-drain'],
      needs: ['pods', 'proxies'],
    },
    {
      text: 'no policy or network rule refuses it',
      entries: ['network-policy-blocks-proxy', 'rbac-between-namespaces'],
      needs: ['pods'],
    },
    { text: 'one person leads, another writes the timeline' },
    { text: 'users were told, and told again within 30 minutes' },
    { text: 'what was changed last is named, and can be rolled back' },
  ],
};
