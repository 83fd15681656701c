/** The embedded driver's unary gRPC calls: only empty messages, such as those of a health check. */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Sender } from './driver-main.js';
import type { LoadProfile } from './profile.js';
import { fillHeaders } from './request.js';

/** One empty message: not compressed, length 0. */
const emptyMessage = Buffer.alloc(5);

export function grpcSender(profile: LoadProfile): Sender {
  let session: ClientHttp2Session | undefined;
  const connection = (): ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session;
    session = connect(profile.url);
    session.on('error', () => undefined);
    return session;
  };
  return (route, n, end) => {
    const stream = connection().request({
      ':method': 'POST',
      ':path': `/${route.grpc?.method ?? ''}`,
      ...(profile.host !== undefined && { ':authority': profile.host }),
      'content-type': 'application/grpc',
      te: 'trailers',
      ...fillHeaders(route.headers, n, `${process.pid}-${n}`),
    });
    let done = false;
    let late = false;
    let code: string | undefined;
    const finish: typeof end = (outcome) => {
      if (done) return;
      done = true;
      clearTimeout(deadline);
      end(outcome);
    };
    const deadline = setTimeout(() => {
      late = true;
      stream.destroy();
    }, profile.timeoutMs);
    stream.on('response', (headers) => (code = headers['grpc-status'] as string | undefined));
    stream.on('trailers', (trailers) => (code = String(trailers['grpc-status'])));
    stream
      .on('error', () => undefined)
      .on('close', () => {
        if (late) return finish({ status: 0, failure: 'timeout' });
        if (code === undefined) return finish({ status: 0, failure: 'no-answer' });
        // The code is not an HTTP status: 0 is OK.
        finish(code === '0' ? { status: 200 } : { status: 200, failure: 'status' });
      });
    stream.resume().end(emptyMessage);
  };
}
