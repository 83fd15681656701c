/** The drill that comes with the package, run where no other is given: data, as any user's is. */
import { existsSync } from 'node:fs';
import { asset } from '../../base/paths.js';
import { type Drill, drillFileName, readDrill } from './drill-file.js';

export const bundledDrill = (): string => asset('examples/retail/firedrill.yaml');

/** The file that was asked for; else the one in this folder; else the bundled one. */
export function findDrill(asked?: string): Drill {
  if (asked !== undefined) return readDrill(asked);
  return readDrill(existsSync(drillFileName) ? drillFileName : bundledDrill());
}
