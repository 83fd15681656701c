/** `watch` in a firedrill.yaml: a Prometheus and an Alertmanager that run already, by which the drill is judged. */
import { z } from 'zod';
import { text } from '../scenarios/fields.js';

const address = z.string().regex(/^https?:\/\/[^\s/]+(\/\S*)?$/, {
  error: 'expected such as https://prometheus.example:9090',
});

const access = z.union(
  [
    address,
    z.strictObject({
      url: address,
      bearerFile: text.optional().describe('holds the token'),
      ca: text.optional().describe('PEM: whom to trust'),
      cert: text.optional(),
      key: text.optional(),
      insecure: z.boolean().optional(),
    }),
  ],
  { error: 'expected an address, or { url, bearerFile, ca, cert, key, insecure }' },
);

export const watchSchema = z
  .strictObject({
    prometheus: access,
    alertmanager: access.optional(),
    receiver: text.optional().describe('whose webhook leads to the drill; default: firedrill'),
    listen: text
      .regex(/^\S+:\d{1,5}$/, { error: 'expected such as 127.0.0.1:9099' })
      .optional()
      .describe('where that webhook arrives; firedrill gameday route prints the route'),
  })
  .describe('what runs already, and judges in production time; nothing of it is changed');

export type WatchSpec = z.output<typeof watchSchema>;
