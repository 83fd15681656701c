/** Groups the proxies' records by request. */

export interface Whys {
  found: Found[];
  /** Proxies that did not answer, each with its reason. */
  silent: string[];
}

export interface Found {
  /** The workload; the address of a proxy that does not tell it. */
  proxy: string;
  why: {
    requestId?: string;
    traceId?: string;
    time: string;
    direction: string;
    method: string;
    path: string;
    dst: string;
    verdict: { status: number; classification: string; reason?: string };
    latencyMs: number | null;
    durationMs: number;
    retries: number;
    earlierTries?: string[];
  };
  text: string;
}

export interface Request {
  id: string;
  parts: Found[];
}

/** Groups the parts of one request in their order of time; the latest request first. */
export function requestsOf(found: readonly Found[]): Request[] {
  const requests = new Map<string, Found[]>();
  found.forEach((one, i) => {
    const { traceId, requestId } = one.why;
    const id = requestId ?? traceId ?? `without an id ${i}`;
    requests.set(id, [...(requests.get(id) ?? []), one]);
  });
  const begun = (one: Found): number => Date.parse(one.why.time) || 0;
  return [...requests]
    .map(([id, parts]) => ({ id, parts: parts.toSorted((a, b) => begun(a) - begun(b)) }))
    .toSorted((a, b) => begun(b.parts[0] as Found) - begun(a.parts[0] as Found));
}
