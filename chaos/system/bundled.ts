/** The bundled drill, which runs if no other is given: plain data, like any user's drill. */
import { existsSync } from 'node:fs';
import { asset } from '../../base/paths.js';
import { type Drill, drillFileName, readDrill } from './drill-file.js';

export const bundledDrill = (): string => asset('examples/retail/firedrill.yaml');

/** The given file, otherwise the file in this folder, otherwise the bundled drill. */
export function findDrill(asked?: string): Drill {
  if (asked !== undefined) return readDrill(asked);
  return readDrill(existsSync(drillFileName) ? drillFileName : bundledDrill());
}
