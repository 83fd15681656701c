/** The route that sends a drill's alerts to the drill alone, as text for the user's alertmanager.yml. */
import { UserError } from '../../../base/errors.js';
import { parseMatchers } from '../../routing/matchers.js';

export interface DrillRoute {
  /** Matchers for the alerts of the drilled system: `namespace="staging"`. */
  matchers: readonly string[];
  /** Name of the receiver. */
  receiver: string;
  /** URL at which Alertmanager reaches the drill: `http://10.0.0.5:9099/webhook`. */
  url: string;
}

export const drillReceiver = 'firedrill';

/** Throws a UserError for an invalid matcher. */
export function drillRouteText({ matchers, receiver, url }: DrillRoute): string {
  if (matchers.length === 0) {
    throw new UserError({
      message: 'without a matcher every alert would go to the drill, real ones too',
      expected: `--matcher 'namespace="staging"'`,
    });
  }
  for (const matcher of matchers) parseMatchers(matcher);
  const list = matchers.map((m) => `        - ${JSON.stringify(m)}\n`).join('');
  return `# For the time of a drill: the first route of alertmanager.yml, before all others. What it matches goes to the
# drill and to nobody else, so nobody is woken; real alerts of the same labels neither. Take it out afterwards.
route:
  routes:
    - receiver: ${receiver}
      matchers:
${list}      group_by: ['...']
      group_wait: 0s
      group_interval: 1s
      repeat_interval: 4h
receivers:
  - name: ${receiver}
    webhook_configs:
      - url: ${url}
        send_resolved: true
`;
}
