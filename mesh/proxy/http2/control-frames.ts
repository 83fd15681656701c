/**
 * The effect of frames other than DATA and HEADERS on a connection: windows, settings, resets, pings (RFC 9113,
 * section 6).
 */
import type { Connection } from './connection.js';
import { ConnectionError, errorCode, flag, frameType, maxWindow, setting } from './frame.js';
import { readUint31, readUint32 } from './frame-reader.js';
import { checkFrame, checkSetting } from './frame-rules.js';

/** Throws a ConnectionError when the connection cannot go on. */
export function takeControlFrame(
  c: Connection,
  type: number,
  flags: number,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  checkFrame(type, flags, id, end - start);
  switch (type) {
    case frameType.windowUpdate:
      return windowUpdateFrame(c, id, buffer, start);
    case frameType.rstStream:
      return rstStreamFrame(c, id, buffer, start);
    case frameType.settings:
      return settingsFrame(c, flags, buffer, start, end);
    case frameType.ping:
      return pingFrame(c, flags, buffer, start);
    case frameType.priority:
      return priorityFrame(c, id, buffer, start, end);
    case frameType.goaway:
      return c.onGoaway(readUint31(buffer, start), readUint32(buffer, start + 4));
    default:
      // Unknown types are ignored, but count against the allowance.
      c.spend(1);
  }
}

function windowUpdateFrame(c: Connection, id: number, buffer: Buffer, start: number): void {
  const increment = readUint31(buffer, start);
  if (id === 0) {
    if (increment === 0) throw new ConnectionError(errorCode.protocol, 'an increment of 0');
    c.sending.widen(increment);
    c.spend(1);
    return c.sending.pump();
  }
  const stream = c.streams.get(id);
  c.spend(1);
  if (!stream) {
    if (id > c.lastStream()) {
      throw new ConnectionError(errorCode.protocol, 'WINDOW_UPDATE on an idle stream');
    }
    return;
  }
  if (increment === 0) return c.breakStream(stream, errorCode.protocol);
  stream.sendWindow += increment;
  if (stream.sendWindow > maxWindow) return c.breakStream(stream, errorCode.flowControl);
  if (stream.waiting && !stream.blocked) {
    stream.pump(maxWindow);
    if (stream.waiting) c.block(stream);
  }
}

function rstStreamFrame(c: Connection, id: number, buffer: Buffer, start: number): void {
  const stream = c.streams.get(id);
  if (!stream) {
    if (id > c.lastStream()) {
      throw new ConnectionError(errorCode.protocol, 'RST_STREAM on an idle stream');
    }
    c.forgetReset(id);
    return c.spend(1);
  }
  c.onPeerReset(stream, readUint32(buffer, start));
}

function settingsFrame(
  c: Connection,
  flags: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  if (flags & flag.ack) return;
  c.spend(1 + (end - start) / 6);
  for (let at = start; at < end; at += 6) {
    changeSetting(
      c,
      (buffer[at] as number) * 256 + (buffer[at + 1] as number),
      readUint32(buffer, at + 2),
    );
  }
  c.output.settingsAck();
  c.checkBacklog();
  c.onSettings();
  c.sending.pump();
}

function changeSetting(c: Connection, which: number, value: number): void {
  checkSetting(which, value);
  switch (which) {
    case setting.headerTableSize:
      return c.output.encoder.setPeerLimit(value);
    case setting.maxConcurrentStreams:
      c.peerMaxStreams = value;
      return;
    case setting.initialWindowSize: {
      const change = value - c.peerInitialWindow;
      c.peerInitialWindow = value;
      for (const stream of c.streams.values()) {
        stream.sendWindow += change;
        if (stream.sendWindow > maxWindow) {
          throw new ConnectionError(errorCode.flowControl, 'a window beyond 2^31-1');
        }
        if (change > 0 && stream.waiting) c.block(stream);
      }
      return;
    }
    // The proxy sends no frames above the default size, so the peer's larger limit is not used.
    default:
  }
}

function pingFrame(c: Connection, flags: number, buffer: Buffer, start: number): void {
  if (flags & flag.ack) {
    return c.onPong();
  }
  c.spend(1);
  c.output.pong(buffer, start);
  c.checkBacklog();
}

function priorityFrame(
  c: Connection,
  id: number,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  c.spend(1);
  const stream = c.streams.get(id);
  const wrong = end - start !== 5 ? errorCode.frameSize : errorCode.protocol;
  if (end - start === 5 && readUint31(buffer, start) !== id) return;
  if (stream) c.breakStream(stream, wrong);
  else c.refuseStream(id, wrong);
}
