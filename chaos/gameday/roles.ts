/** The roles of a game day's people, as the drill's file names them. Anybody may stop it. */
import * as z from 'zod';
import { text } from '../scenarios/fields.js';

export const rolesSchema = z
  .strictObject({
    facilitator: text.optional().describe('knows the scenarios, and may give a hint'),
    responders: z.array(text).min(1).describe('acknowledge pages, and may ask for hints'),
    observers: z.array(text).default([]).describe('only look'),
  })
  .describe('the people of a game day, by role; anybody may stop it');

export type Roles = z.output<typeof rolesSchema>;

/** `an observer`; undefined for a responder, and where no roles are named. */
export function otherRole(roles: Roles | undefined, by: string): string | undefined {
  if (!roles || roles.responders.includes(by)) return undefined;
  if (by === roles.facilitator) return 'the facilitator';
  return roles.observers.includes(by) ? 'an observer' : 'nobody whom the drill names';
}

export const respondersText = ({ responders }: Roles): string => responders.join(', ');
