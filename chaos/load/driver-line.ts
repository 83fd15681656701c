import type { Failure, LoadPoints } from './points.js';

/** Parses `route,due,ms,status,failure`, or `dropped,N`. */
export function readDriverLine(line: string, points: LoadPoints): void {
  const [route, a, b, status, failure] = line.split(',');
  if (route === undefined || a === undefined) return;
  if (route === 'dropped') points.dropped += Number(a);
  else if (failure !== undefined) {
    points.add({
      route,
      atMs: Number(a),
      ms: Number(b),
      ok: failure === '',
      status: Number(status),
      ...(failure !== '' && { failure: failure as Failure }),
    });
  }
}
