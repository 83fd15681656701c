/** The short declaration that the routing is compiled from: teams, schedules, severities, services. */
import * as z from 'zod';
import { formatDurationMs, parseDurationMs } from '../../base/duration.js';
import { inputName } from '../../base/input.js';
import { type Problem, UserError } from '../../base/errors.js';
import { checkYaml, type Path, parseYaml, readYaml, type YamlDocument } from '../../base/yaml.js';
import { parseMatcher } from './matchers.js';
import { localTime, minuteOf } from './time-intervals.js';

const word = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]*$/, 'expected a word such as team-shop');
const duration = z
  .string()
  .refine((t) => (parseDurationMs(t) ?? 0) > 0, { message: 'expected a duration such as 5m' })
  .transform((t) => formatDurationMs(parseDurationMs(t) as number));
const file = z.string().min(1, 'expected the path of a file');
const url = z.string().refine((t) => /^https?:\/\/[^/\s]+/.test(t), {
  message: 'expected a URL such as https://hooks.example/alerts',
});
const address = z.string().regex(/^[^@\s]+@[^@\s]+$/, 'expected an address such as a@example.org');

/** One way to notify somebody; each has its secret in a file. */
const contact = z
  .strictObject({
    pagerduty: z.strictObject({ routingKeyFile: file }).optional(),
    opsgenie: z
      .strictObject({
        apiKeyFile: file,
        apiUrl: url.optional(),
        team: word.optional(),
        priority: z.enum(['P1', 'P2', 'P3', 'P4', 'P5']).optional(),
      })
      .optional(),
    slack: z
      .strictObject({
        apiUrlFile: file,
        channel: z.string().regex(/^[#@]\S+$/, 'expected a channel such as #team-shop'),
      })
      .optional(),
    email: z
      .strictObject({
        to: address,
        from: address,
        smarthost: z.string().regex(/^[^:\s]+:\d+$/, 'expected a host and port such as mail:587'),
        username: z.string().optional(),
        passwordFile: file.optional(),
        requireTls: z.boolean().default(true),
      })
      .optional(),
    webhook: z
      .strictObject({
        url: url.optional(),
        urlFile: file.optional(),
        bearerTokenFile: file.optional(),
        maxAlerts: z.int().min(1).optional(),
      })
      .refine((w) => (w.url === undefined) !== (w.urlFile === undefined), {
        message: 'expected either url or urlFile',
      })
      .optional(),
  })
  .refine((c) => Object.keys(c).length === 1, {
    message: 'expected one of pagerduty, opsgenie, slack, email, webhook',
  });

const contacts = z.array(contact);

const period = z.strictObject({
  days: z
    .string()
    .regex(/^[a-z]+(:[a-z]+)?$/, 'expected days such as monday:friday')
    .optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  months: z.string().optional(),
  daysOfMonth: z.string().optional(),
  timezone: z.string().optional(),
});

const severity = z.strictObject({
  /** How long a new group gathers alerts before its first notification. */
  wait: duration.default('30s'),
  /** Minimum time between two notifications of a group, so that flapping alerts share a notification. */
  cooldown: duration.default('5m'),
  /** Time after which an unchanged group is notified again. */
  repeat: duration.default('4h'),
  /** Notify only within this schedule; an alert that fires outside it is notified when the schedule begins. */
  during: word.optional(),
  /** Never notify within this schedule. */
  except: word.optional(),
});

const team = z.strictObject({
  name: word,
  /** Values of the label `owner`; default: the team's name. */
  owns: z.array(z.string().min(1)).min(1).optional(),
  /** Services whose alerts without an owner belong to the team. */
  services: z.array(z.string().min(1)).default([]),
  notify: z.record(word, contacts),
  /** Contacts to notify if a page is still firing after the given time. */
  escalate: z.array(z.strictObject({ after: duration, to: contacts.min(1) })).default([]),
});

const labels = z.record(z.string(), z.coerce.string());
const matcher = z.string().refine(
  (t) => {
    try {
      return parseMatcher(t) !== undefined;
    } catch {
      return false;
    }
  },
  { message: 'expected a matcher such as severity="page"' },
);

const schema = z.strictObject({
  apiVersion: z.literal('firedrill.dev/v1'),
  kind: z.literal('AlertRouting'),
  /** The oldest version of Alertmanager that must accept the configuration. */
  alertmanager: z
    .string()
    .regex(/^\d+\.\d+$/, "expected a version such as '0.25'")
    .default('0.25'),
  timezone: z.string().default('UTC'),
  groupBy: z.array(z.string()).min(1).default(['service', 'region']),
  /** The team that gets alerts without an owner. */
  default: word,
  runbookBase: url.optional(),
  schedules: z.record(word, z.array(period).min(1)).default({}),
  severities: z.record(word, severity),
  teams: z.array(team).min(1),
  inhibit: z
    .strictObject({
      /** Whether to include the inhibition rules of the alert library. */
      library: z.boolean().default(true),
      rules: z
        .array(
          z.strictObject({
            source: z.array(matcher).min(1),
            target: z.array(matcher).min(1),
            equal: z.array(z.string()).default([]),
          }),
        )
        .default([]),
    })
    .default({ library: true, rules: [] }),
  /** Cases for `firedrill alerts routes test`. */
  tests: z
    .array(
      z.strictObject({
        name: z.string(),
        labels,
        at: z.iso
          .datetime({ offset: true, error: 'expected a time such as 2026-12-01T22:00:00Z' })
          .optional(),
        firing: z.array(labels).default([]),
        /** Names of receivers; an empty list expects that nobody is notified. */
        expect: z.array(z.string()),
      }),
    )
    .default([]),
});

/** The JSON schema for editors: `# yaml-language-server: $schema=...`. */
export const routingJsonSchema = (): unknown =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

export type Routing = z.output<typeof schema>;
export type Contact = z.output<typeof contact>;
export type Team = z.output<typeof team>;
export type Period = z.output<typeof period>;
export type SeverityRouting = z.output<typeof severity>;

export const readRouting = (path: string): { routing: Routing; document: YamlDocument } =>
  check(path, readYaml(path));

export const readRoutingText = (file: string, text: string): Routing =>
  check(file, parseYaml(file, text)).routing;

function check(file: string, documents: YamlDocument[]) {
  const [document, second] = documents;
  if (!document)
    throw new UserError({ message: `${inputName(file)} is empty`, expected: 'kind AlertRouting' });
  if (second) {
    throw new UserError({ place: second.placeOf([]), message: 'a second document in the file' });
  }
  const secrets = secretsIn(document);
  if (secrets.length > 0) throw new UserError(secrets);
  const routing = checkYaml(document, schema);
  const problems = problemsOf(routing, document);
  if (problems.length > 0) throw new UserError(problems);
  return { routing, document };
}

/** Fields that would hold a secret, each with the field that names its file. */
const secretFields: Record<string, string> = {
  routingKey: 'routingKeyFile',
  serviceKey: 'routingKeyFile',
  apiKey: 'apiKeyFile',
  password: 'passwordFile',
  bearerToken: 'bearerTokenFile',
  token: 'bearerTokenFile',
};

function secretsIn(document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      const here = [...path, Array.isArray(value) ? Number(key) : key];
      const place = document.placeOfKey(here);
      const parent = String(path.at(-1));
      if (
        key in secretFields &&
        ['pagerduty', 'opsgenie', 'slack', 'email', 'webhook'].includes(parent)
      ) {
        const message = `${key} would put a secret into the configuration`;
        problems.push({ place, message, expected: `${secretFields[key]}, the path of a file` });
      } else if (key === 'apiUrl' && parent === 'slack') {
        const message = "a URL of Slack's webhooks is a secret";
        problems.push({ place, message, expected: 'apiUrlFile, the path of a file' });
      } else if (key === 'url' && /\/\/[^/]*@|[?&](token|key|secret)=/i.test(String(child))) {
        const message = 'the URL carries a secret';
        problems.push({
          place,
          message,
          expected: 'bearerTokenFile, or urlFile (Alertmanager 0.26)',
        });
      } else visit(child, here);
    }
  };
  visit(document.value, []);
  return problems;
}

function problemsOf(routing: Routing, document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const say = (path: Path, message: string, expected?: string): void => {
    problems.push({
      place: document.placeOf(path),
      message,
      ...(expected === undefined ? {} : { expected }),
    });
  };
  const check = (path: Path, run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const [problem] = error.problems;
      if (problem) say(path, problem.message, problem.expected);
    }
  };
  const severities = Object.keys(routing.severities);
  const schedules = Object.keys(routing.schedules);
  const teams = routing.teams.map((t) => t.name);
  check(['timezone'], () => localTime(0, routing.timezone));
  if (severities.length === 0) say(['severities'], 'no severity', 'page, ticket');
  if (!teams.includes(routing.default)) {
    say(['default'], `there is no team ${routing.default}`, teams.join(', '));
  }
  for (const [name, { during, except }] of Object.entries(routing.severities)) {
    for (const [field, schedule] of Object.entries({ during, except })) {
      if (schedule !== undefined && !schedules.includes(schedule)) {
        const expected = schedules.join(', ') || 'one that schedules defines';
        say(['severities', name, field], `there is no schedule ${schedule}`, expected);
      }
    }
  }
  for (const [name, periods] of Object.entries(routing.schedules)) {
    periods.forEach((p, i) => problemsOfPeriod(p, ['schedules', name, i], say, check));
  }
  const owners = new Map<string, string>();
  routing.teams.forEach((t, i) => {
    const path: Path = ['teams', i];
    if (teams.indexOf(t.name) !== i) say([...path, 'name'], `the team ${t.name} appears twice`);
    for (const severity of severities) {
      if (t.notify[severity]) continue;
      say([...path, 'notify'], `${t.name} names no receiver for ${severity}`, `${severity}: [...]`);
    }
    for (const severity of Object.keys(t.notify)) {
      if (severities.includes(severity)) continue;
      say([...path, 'notify', severity], `there is no severity ${severity}`, severities.join(', '));
    }
    for (const [kind, list] of [
      ['owns', t.owns ?? [t.name]],
      ['services', t.services],
    ] as const) {
      list.forEach((value, j) => {
        const key = `${kind} ${value}`;
        const other = owners.get(key);
        if (other !== undefined && other !== t.name) {
          say([...path, kind, j], `${value} belongs to ${other} already`);
        }
        owners.set(key, t.name);
      });
    }
    const afters = t.escalate.map((e) => parseDurationMs(e.after) ?? 0);
    afters.forEach((ms, j) => {
      if (j > 0 && ms <= (afters[j - 1] as number)) {
        say(
          [...path, 'escalate', j, 'after'],
          'an escalation step is not later than the one before',
        );
      }
    });
    const all = [...Object.values(t.notify), ...t.escalate.map((e) => e.to)].flat();
    const usesUrlFile = all.some((c) => c.webhook?.urlFile !== undefined);
    if (usesUrlFile && Number(routing.alertmanager.split('.')[1]) < 26) {
      say([...path, 'notify'], 'urlFile needs Alertmanager 0.26', "alertmanager: '0.26'");
    }
  });
  return problems;
}

const dayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

function problemsOfPeriod(
  p: Period,
  path: Path,
  say: (path: Path, message: string, expected?: string) => void,
  check: (path: Path, run: () => unknown) => void,
): void {
  const [from, to = from] = (p.days ?? 'monday').split(':');
  const [low, high] = [dayNames.indexOf(from ?? ''), dayNames.indexOf(to ?? '')];
  if (low < 0 || high < 0) say([...path, 'days'], `days ${p.days}`, 'names such as monday:friday');
  else if (low > high)
    say([...path, 'days'], `days ${p.days} run backwards`, 'the week begins on sunday');
  check([...path, 'from'], () => minuteOf(p.from ?? '00:00'));
  check([...path, 'to'], () => minuteOf(p.to ?? '24:00'));
  if (p.timezone !== undefined) check([...path, 'timezone'], () => localTime(0, p.timezone ?? ''));
  const isTime = (t: string | undefined): boolean => t === undefined || /^\d\d:\d\d$/.test(t);
  if (isTime(p.from) && isTime(p.to) && (p.from ?? '00:00') >= (p.to ?? '24:00')) {
    say([...path, 'to'], 'the period ends before it begins', 'two periods for one over midnight');
  }
}
