/** A destination as a proxy at some place gets it: backends that choose by places have the endpoints for this one. */
import type { Backend, Destination, Endpoint, Place } from '../model.js';

export const choosesByPlace = ({ backends }: Destination): boolean =>
  backends.some(({ reach }) => reach !== undefined);

/** Undefined: the proxy's place is not known, so no endpoint is kept from it. */
export const seenFrom = (d: Destination, place: Place | undefined): Destination => ({
  ...d,
  backends: d.backends.map(({ reach, endpoints, ...rest }) => ({
    ...rest,
    endpoints: (place && reach ? reachable(endpoints, reach, place) : endpoints).map(
      ({ places: _places, ...endpoint }) => endpoint,
    ),
  })),
});

function reachable(
  endpoints: Endpoint[],
  { levels, strict }: NonNullable<Backend['reach']>,
  place: Place,
): Endpoint[] {
  for (const level of levels) {
    const own = place[level];
    const found =
      own === undefined ? [] : endpoints.filter(({ places }) => places?.[level]?.includes(own));
    if (found.length > 0) return found;
  }
  return strict ? [] : endpoints;
}
