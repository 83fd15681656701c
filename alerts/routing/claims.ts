/** The matchers by which an alert belongs to a team. */
import { escapePattern } from '../../base/escape-pattern.js';
import type { Team } from './declaration.js';

const anyOf = (label: string, values: readonly string[]): string =>
  values.length === 1
    ? `${label}=${JSON.stringify(values[0])}`
    : `${label}=~${JSON.stringify(values.map(escapePattern).join('|'))}`;

/** The alert's owner, or its service if it has no owner; each is a list of matchers. */
export function claimsOf(team: Team): string[][] {
  const owned = [anyOf('owner', team.owns ?? [team.name])];
  return team.services.length === 0
    ? [owned]
    : [owned, ['owner=""', anyOf('service', team.services)]];
}
