/** Finished spans in OTLP's JSON, as POST /v1/traces takes them (opentelemetry-proto, trace/v1). */
import type { FlowRecord } from './flow-record.js';

type Value = { stringValue: string } | { intValue: string } | { boolValue: boolean };
interface Attribute {
  key: string;
  value: Value;
}

const spanKindServer = 2;
const spanKindClient = 3;
const statusError = 2;

const text = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } });
const int = (key: string, value: number): Attribute => ({
  key,
  value: { intValue: String(value) },
});

/** `endedWallMs`: wall clock at the record's end, in milliseconds. */
export function otlpSpan(record: FlowRecord, endedWallMs: number): Record<string, unknown> {
  const { request, span } = record;
  const attributes: Attribute[] = [
    text('http.request.method', request.method),
    text('url.path', request.path.replace(/\?.*$/, '')),
    text('server.address', request.authority),
    text('client.address', request.peerAddress),
    text('firedrill.direction', record.direction),
    text('firedrill.dst', record.dst),
    text('http.route', record.routeName),
    int('http.response.status_code', record.status),
    int('http.response.body.size', record.responseBytes),
  ];
  if (record.targetAddress !== '') {
    attributes.push(text('network.peer.address', record.targetAddress));
  }
  if (record.label) attributes.push(text(record.label.name, record.label.value));
  if (record.grpcStatus >= 0) attributes.push(int('rpc.grpc.status_code', record.grpcStatus));
  if (record.retries > 0) attributes.push(int('http.request.resend_count', record.retries));
  if (record.reason !== '') attributes.push(text('error.type', record.reason));
  return {
    traceId: span?.traceId,
    spanId: span?.spanId,
    ...(span?.parentId && { parentSpanId: span.parentId }),
    name: `${request.method} ${record.dst} ${record.routeName}`,
    kind: record.direction === 'inbound' ? spanKindServer : spanKindClient,
    startTimeUnixNano: nanos(endedWallMs - (record.endedMs - record.beganMs)),
    endTimeUnixNano: nanos(endedWallMs),
    attributes,
    ...(record.pastTries && {
      events: record.pastTries.map((past) => ({
        timeUnixNano: nanos(endedWallMs),
        name: 'retry',
        attributes: [
          text('network.peer.address', past.address),
          int('http.response.status_code', past.status),
          ...(past.failure === '' ? [] : [text('error.type', past.failure)]),
        ],
      })),
    }),
    ...(record.classification === 1 && { status: { code: statusError } }),
  };
}

export function otlpBody(
  resource: Record<string, string>,
  spans: readonly Record<string, unknown>[],
): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: Object.entries(resource).map(([k, v]) => text(k, v)) },
        scopeSpans: [{ scope: { name: 'firedrill-proxy' }, spans }],
      },
    ],
  });
}

/** Milliseconds with fractions, as a decimal string of nanoseconds: a double cannot hold them exactly. */
function nanos(ms: number): string {
  const whole = Math.floor(ms);
  const rest = Math.round((ms - whole) * 1e6);
  return (BigInt(whole) * 1_000_000n + BigInt(rest)).toString();
}
