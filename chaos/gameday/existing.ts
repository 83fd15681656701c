/** A game day that is judged by a user's own Prometheus and Alertmanager: their addresses and rules. */
import { drillReceiver } from '../../alerts/watch/existing/drill-route.js';
import type { ExistingOptions } from '../../alerts/watch/existing/existing.js';
import { intervalsOf, loadedRules } from '../../alerts/watch/existing/rules.js';
import { AlertmanagerApi } from '../../alerts/routing/alertmanager-api.js';
import {
  type AccessFiles,
  type AccessFlags,
  fetchWith,
  isWebAddress,
  readAccess,
} from '../../base/access.js';
import { UserError } from '../../base/errors.js';
import { type HostPort, hostPort } from '../../base/host-port.js';
import { readSlos } from '../../slo/index.js';
import { accessFiles, type AccessSpec } from '../system/access-schema.js';
import type { Drill } from '../system/drill-file.js';
import { type Judging, type JudgedBy, judgingOf } from './judging.js';
import { timingOf } from './options.js';

/** From the command line; each overrides the drill's file. */
export interface ExistingFlags extends AccessFlags {
  prometheus: string;
  alertmanager?: string;
  listen?: string;
  receiver?: string;
}

/** Undefined if the drill starts its own watch. */
export function existingOf(given: ExistingFlags, drill: Drill): ExistingOptions | undefined {
  const { watch } = drill;
  const typed = isWebAddress(given.prometheus);
  if (!typed && (watch === undefined || given.prometheus !== 'auto')) {
    if (given.alertmanager !== undefined && isWebAddress(given.alertmanager)) {
      throw new UserError({
        message: '--alertmanager is the address of one that runs, and --prometheus is none',
        expected: '--prometheus http://host:9090 beside it',
      });
    }
    return undefined;
  }
  const { bearerFile, ca, cert, key, insecure } = given;
  const flags = { bearerFile, ca, cert, key, insecure };
  const own = Object.fromEntries(Object.entries(flags).filter(([, v]) => v !== undefined));
  const accessTo = (named: AccessSpec | undefined, url?: string): Partial<AccessFiles> => {
    const inFile = named === undefined ? undefined : accessFiles(named, drill.folder);
    // The token of the file's server is for no other.
    const isOther = url !== undefined && originOf(url) !== originOf(inFile?.url);
    return { ...(!isOther && inFile), ...own, ...(url !== undefined && { url }) };
  };
  const prometheus = accessTo(watch?.prometheus, typed ? given.prometheus : undefined);
  const manager = accessTo(watch?.alertmanager, given.alertmanager);
  const listen = listenAt(given.listen ?? watch?.listen);
  const receiver = given.receiver ?? watch?.receiver;
  return {
    prometheus: readAccess('the Prometheus', prometheus as AccessFiles),
    ...(manager.url !== undefined && {
      alertmanager: readAccess('the Alertmanager', manager as AccessFiles),
    }),
    ...(listen && { listen }),
    ...(receiver !== undefined && { receiver }),
  };
}

const originOf = (url = ''): string => (URL.canParse(url) ? new URL(url).origin : '');

export function listenAt(text: string | undefined): HostPort | undefined {
  if (text === undefined) return undefined;
  const address = hostPort(text);
  if (address && address.host !== '' && address.port > 0) return address;
  throw new UserError({ message: `bad --listen '${text}'`, expected: 'such as 127.0.0.1:9099' });
}

/** Judges by the files of the drill, or by the rules in an existing Prometheus, then in production time. */
export async function judgingFor(by: JudgedBy & { existing?: ExistingOptions }): Promise<Judging> {
  const { existing } = by;
  if (!existing) return judgingOf(by);
  const { prometheus, alertmanager } = existing;
  const [groups, intervals] = await Promise.all([loadedRules(prometheus), intervalsOf(prometheus)]);
  const api = alertmanager && new AlertmanagerApi(alertmanager.url, fetchWith(alertmanager));
  const receivers = await api?.receivers();
  const { receiver = drillReceiver, listen } = existing;
  const isRouted = listen !== undefined && receivers?.includes(receiver) === true;
  return {
    timing: { ...timingOf(1, by.allowanceMs), ...intervals },
    slos: by.slos.length === 0 ? [] : readSlos(by.slos),
    groups,
    alertmanager: undefined,
    routing: undefined,
    receivers: isRouted ? [receiver] : receivers,
    remarks: [
      ...(by.rules.length > 0
        ? ['the rules are those that the Prometheus has loaded: rule files are not read']
        : []),
      ...(listen !== undefined && !isRouted
        ? [`the Alertmanager has no receiver '${receiver}': its API is asked instead`]
        : []),
    ],
  };
}
