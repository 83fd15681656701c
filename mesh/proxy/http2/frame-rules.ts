/** Rules that a frame must keep whatever went before it (RFC 9113, section 6). */
import {
  ConnectionError,
  errorCode,
  flag,
  frameType,
  maxFrameBytes,
  maxWindow,
  setting,
} from './frame.js';

interface Rule {
  readonly name: string;
  /** The frame belongs to a stream, to the connection, or to either. */
  readonly on: 'stream' | 'connection' | 'either';
  isSize(size: number, flags: number): boolean;
}

const any = (): boolean => true;
const rules = new Map<number, Rule>([
  [frameType.windowUpdate, { name: 'WINDOW_UPDATE', on: 'either', isSize: (size) => size === 4 }],
  [frameType.rstStream, { name: 'RST_STREAM', on: 'stream', isSize: (size) => size === 4 }],
  [
    frameType.settings,
    {
      name: 'SETTINGS',
      on: 'connection',
      isSize: (size, flags) => (flags & flag.ack ? size === 0 : size % 6 === 0),
    },
  ],
  [frameType.ping, { name: 'PING', on: 'connection', isSize: (size) => size === 8 }],
  // A wrong size of PRIORITY is an error of its stream.
  [frameType.priority, { name: 'PRIORITY', on: 'stream', isSize: any }],
  [frameType.goaway, { name: 'GOAWAY', on: 'connection', isSize: (size) => size >= 8 }],
]);

/** Throws a ConnectionError. Unknown types have no rules. */
export function checkFrame(type: number, flags: number, id: number, size: number): void {
  const rule = rules.get(type);
  if (!rule) {
    if (type !== frameType.pushPromise) return;
    throw new ConnectionError(errorCode.protocol, 'PUSH_PROMISE is not allowed');
  }
  const { name, on } = rule;
  if ((on === 'stream' && id === 0) || (on === 'connection' && id !== 0)) {
    const where = id === 0 ? 'stream 0' : 'a stream';
    throw new ConnectionError(errorCode.protocol, `${name} on ${where}`);
  }
  if (!rule.isSize(size, flags)) throw new ConnectionError(errorCode.frameSize, `${name} size`);
}

/** Throws a ConnectionError when the setting cannot have this value. */
export function checkSetting(which: number, value: number): void {
  if (which === setting.enablePush && value > 1) {
    throw new ConnectionError(errorCode.protocol, 'ENABLE_PUSH');
  }
  if (which === setting.initialWindowSize && value > maxWindow) {
    throw new ConnectionError(errorCode.flowControl, 'window size');
  }
  if (which === setting.maxFrameSize && (value < maxFrameBytes || value > 0xffffff)) {
    throw new ConnectionError(errorCode.protocol, 'MAX_FRAME_SIZE');
  }
}
