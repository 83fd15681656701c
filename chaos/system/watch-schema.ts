/** `watch` in a firedrill.yaml: an existing Prometheus and Alertmanager, which judge the drill. */
import * as z from 'zod';
import { text } from '../scenarios/fields.js';
import { accessSchema } from './access-schema.js';

export const watchSchema = z
  .strictObject({
    prometheus: accessSchema,
    alertmanager: accessSchema.optional(),
    receiver: text.optional().describe('whose webhook leads to the drill; default: firedrill'),
    listen: text
      .regex(/^\S+:\d{1,5}$/, { error: 'expected such as 127.0.0.1:9099' })
      .optional()
      .describe('where that webhook arrives; firedrill gameday route prints the route'),
  })
  .describe('what runs already, and judges in production time; nothing of it is changed');
