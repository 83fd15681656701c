/** The part of a firedrill.yaml about an existing server: its address, token and TLS settings. */
import { resolve } from 'node:path';
import * as z from 'zod';
import type { AccessFiles } from '../../base/access.js';
import { text } from '../scenarios/fields.js';

const address = z.string().regex(/^https?:\/\/[^\s/]+(\/\S*)?$/, {
  error: 'expected such as https://prometheus.example:9090',
});

export const accessSchema = z.union(
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

export type AccessSpec = z.output<typeof accessSchema>;

/** Files relative to the drill's folder. */
export function accessFiles(spec: AccessSpec, folder: string): AccessFiles {
  if (typeof spec === 'string') return { url: spec };
  const files = ['bearerFile', 'ca', 'cert', 'key'] as const;
  const found = files.flatMap((name) => {
    const file = spec[name];
    return file === undefined ? [] : [[name, resolve(folder, file)] as const];
  });
  return { ...spec, ...Object.fromEntries(found) };
}
