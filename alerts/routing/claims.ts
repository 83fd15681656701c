/** What makes an alert a team's. */
import type { Team } from './declaration.js';

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const anyOf = (label: string, values: readonly string[]): string =>
  values.length === 1
    ? `${label}=${JSON.stringify(values[0])}`
    : `${label}=~${JSON.stringify(values.map(escaped).join('|'))}`;

/** Its owner, or where it has none, its service: each a list of matchers. */
export function claimsOf(team: Team): string[][] {
  const owned = [anyOf('owner', team.owns ?? [team.name])];
  return team.services.length === 0
    ? [owned]
    : [owned, ['owner=""', anyOf('service', team.services)]];
}
