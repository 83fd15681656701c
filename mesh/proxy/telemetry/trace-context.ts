/** Trace context in headers: W3C traceparent, B3 single and B3 multiple, sent on in the form that came. */
import type { RequestInfo } from '../flow/contract.js';

export interface TraceParent {
  traceId: string;
  /** The caller's span; empty when B3 carried only a sampling decision. */
  spanId: string;
  sampled: boolean;
  form: 'w3c' | 'b3' | 'b3-multi';
}

/** Version 00 has these four fields; later ones may have more. */
const traceparent =
  /^(?!ff)(?:00|([0-9a-f]{2}))-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const maxStateMembers = 32;
/** Level 2, which allows what level 1 does not: an @ anywhere but at the start. */
const stateKey = /^[a-z0-9][a-z0-9_*/@-]{0,255}$/;
const stateValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const b3Single = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?$/;
const hexId = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;

/** The trace context of the request; undefined: none, or invalid. */
export function readParent(request: RequestInfo): TraceParent | undefined {
  const w3c = request.header('traceparent');
  if (w3c !== undefined) {
    const match = traceparent.exec(w3c.trim());
    const [, later, traceId = '', spanId = '', bits = '', suffix] = match ?? [];
    const isWhole = match && (suffix === undefined || later !== undefined);
    if (isWhole && !/^0+$/.test(traceId) && !/^0+$/.test(spanId)) {
      const flags = Number.parseInt(bits, 16);
      return {
        traceId,
        spanId,
        sampled: (flags & 1) === 1,
        form: 'w3c',
      };
    }
  }
  const b3 = request.header('b3');
  if (b3 !== undefined) {
    if (b3 === '0') return { traceId: '', spanId: '', sampled: false, form: 'b3' };
    const match = b3Single.exec(b3.trim().toLowerCase());
    if (!match) return undefined;
    return {
      traceId: (match[1] as string).padStart(32, '0'),
      spanId: match[2] as string,
      sampled: match[3] !== '0',
      form: 'b3',
    };
  }
  const traceId = request.header('x-b3-traceid')?.toLowerCase();
  const sampled = request.header('x-b3-sampled');
  if (traceId === undefined) {
    if (sampled !== '0' && sampled !== 'false') return undefined;
    return { traceId: '', spanId: '', sampled: false, form: 'b3-multi' };
  }
  const spanId = request.header('x-b3-spanid')?.toLowerCase() ?? '';
  if (!hexId.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) return undefined;
  return {
    traceId: traceId.padStart(32, '0'),
    spanId,
    sampled: sampled !== '0' && sampled !== 'false',
    form: 'b3-multi',
  };
}

/** Whether a tracestate may go on beside the proxy's own traceparent (W3C trace context, 3.3.1). */
export function isGoodState(tracestate: string): boolean {
  const members = tracestate.split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ''));
  const given = members.filter((member) => member !== '');
  return (
    given.length <= maxStateMembers &&
    given.every((member) => {
      const at = member.indexOf('=');
      return at > 0 && stateKey.test(member.slice(0, at)) && stateValue.test(member.slice(at + 1));
    })
  );
}

/** The headers that make a span the parent of the next one. */
export function contextHeaders(
  form: TraceParent['form'],
  traceId: string,
  spanId: string,
  parentId: string,
): string[] {
  switch (form) {
    case 'w3c':
      return ['traceparent', `00-${traceId}-${spanId}-01`];
    case 'b3':
      return ['b3', `${traceId}-${spanId}-1${parentId === '' ? '' : `-${parentId}`}`];
    case 'b3-multi':
      return ['x-b3-traceid', traceId, 'x-b3-spanid', spanId, 'x-b3-sampled', '1'].concat(
        parentId === '' ? [] : ['x-b3-parentspanid', parentId],
      );
  }
}
