/** `firedrill load export`: YAML on standard output, and unsupported parts on standard error. */
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { readSlos } from '../../slo/index.js';
import { operatorObjects } from './k6-operator.js';
import { readLoad } from './load-file.js';
import { bindProfile } from './profile.js';
import { baseOf, targetUrl } from './target-url.js';
import { thresholdsOf } from './thresholds.js';

export interface LoadExportOptions {
  url?: string;
  rate?: string;
  name: string;
  namespace: string;
  parallelism: string;
  duration: string;
  input: string[];
}

const objectName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function exportLoad(file: string, given: LoadExportOptions): number {
  const plan = readLoad(file);
  if (plan.kind !== 'profile') {
    throw new UserError({ message: `${file} is a script of its own`, expected: 'a load profile' });
  }
  const url = given.url ?? plan.profile.url;
  if (url === undefined) {
    const expected = '--url http://SERVICE.NAMESPACE:PORT';
    throw new UserError({ message: 'the load has no address', expected });
  }
  for (const [option, text] of Object.entries({ name: given.name, namespace: given.namespace })) {
    if (!objectName.test(text)) {
      const expected = 'small letters, digits and hyphens, at most 63';
      throw new UserError({ message: `bad --${option} '${text}'`, expected });
    }
  }
  const lengthMs = parseDurationMs(given.duration);
  if (lengthMs === undefined || lengthMs < 1000) {
    const expected = 'such as 10m, a second at least';
    throw new UserError({ message: `bad --duration '${given.duration}'`, expected });
  }
  const rate = given.rate === undefined ? undefined : numberOf('rate', given.rate, 0.1, 10_000);
  const { yaml, left } = operatorObjects(bindProfile(plan.profile, baseOf(targetUrl(url)), rate), {
    name: given.name,
    namespace: given.namespace,
    parallelism: numberOf('parallelism', given.parallelism, 1, 100),
    lengthMs,
    thresholds:
      given.input.length > 0 ? thresholdsOf(readSlos(given.input, { windows: 'any' })) : [],
  });
  for (const text of left) process.stderr.write(`${text}\n`);
  process.stdout.write(yaml);
  return exitCode.ok;
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  const isWhole = option !== 'parallelism' || Number.isInteger(value);
  if (text.trim() !== '' && value >= least && value <= most && isWhole) return value;
  throw new UserError({ message: `bad --${option} '${text}'`, expected: `${least} to ${most}` });
}
