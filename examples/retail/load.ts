/** The shop's load: load.yaml with an address and a rate. */
import { asset } from '../../base/paths.js';
import { readProfile } from '../../chaos/load/load-file.js';
import { bindProfile, type LoadProfile } from '../../chaos/load/profile.js';

export const shopProfile = (url: string, rate?: number): LoadProfile =>
  bindProfile(readProfile(asset('examples/retail/load.yaml')), url, rate);
