/** Updates as they are sent. A change goes to thousands of proxies: the update that they share is encoded once. */
import { frameMessage } from './api/framing.js';
import { encodeUpdate } from './api/messages.js';

type EncodedUpdate = Parameters<typeof encodeUpdate>[0];

export class UpdateFrames {
  /** The last update of one object. */
  #last: { version: number; timeMs: number; resource: Buffer; frame: Buffer } | undefined;

  frame(update: EncodedUpdate): Buffer {
    const { version, timeMs } = update;
    const resource = onlyObjectOf(update);
    const last = this.#last;
    if (last && last.resource === resource && last.version === version && last.timeMs === timeMs) {
      return last.frame;
    }
    const frame = frameMessage(encodeUpdate(update));
    if (resource) this.#last = { version, timeMs, resource, frame };
    return frame;
  }
}

function onlyObjectOf(update: EncodedUpdate): Buffer | undefined {
  const { resources, removed, snapshot, more } = update;
  const isAlone = resources.length === 1 && removed.length === 0;
  return isAlone && !snapshot && !more ? resources[0] : undefined;
}
