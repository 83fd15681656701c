import type { Clock } from '../../base/clock.js';
import type { IssuerConfig } from '../controller/config.js';
import type { IssuerStore } from './issuing.js';
export function createVaultStore(_c: IssuerConfig, _clock: Clock): IssuerStore {
  throw new Error('not yet');
}
