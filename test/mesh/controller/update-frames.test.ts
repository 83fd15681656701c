/** One encoding serves all proxies that are owed the same, and never a proxy that is owed something else. */
import { expect, test } from 'vitest';
import { MessageSplitter } from '../../../mesh/controller/api/framing.js';
import { decodeUpdate, encodeResource, kinds } from '../../../mesh/controller/api/messages.js';
import { UpdateFrames } from '../../../mesh/controller/update-frames.js';

const cart = encodeResource({
  kind: kinds.destination,
  name: 'cart.retail',
  version: 'a',
  json: Buffer.from('{}'),
});
const update = {
  version: 7,
  snapshot: false,
  resources: [cart],
  removed: [],
  timeMs: 1000,
  more: false,
};

test('the same update is encoded once', () => {
  const frames = new UpdateFrames();
  const first = frames.frame(update);
  expect(frames.frame({ ...update, resources: [cart] })).toBe(first);
  const [message] = new MessageSplitter(1000).push(first);
  expect(decodeUpdate(message as Buffer)).toMatchObject({ version: 7, timeMs: 1000 });
});

test.each([
  ['of a later version', { version: 8 }],
  ['at another time', { timeMs: 1001 }],
  ['with a removal', { removed: [cart] }],
  ['of another object', { resources: [Buffer.from(cart)] }],
  ['of two objects', { resources: [cart, cart] }],
  ['that begins a snapshot', { snapshot: true }],
  ['with a part that follows', { more: true }],
])('an update %s has bytes of its own', (_, difference) => {
  const frames = new UpdateFrames();
  const first = frames.frame(update);
  const other = frames.frame({ ...update, ...difference });
  expect(other).not.toBe(first);
  // Neither does it take the place of the shared one for a different update.
  const [message] = new MessageSplitter(1000).push(frames.frame(update));
  expect(decodeUpdate(message as Buffer)).toMatchObject({
    version: 7,
    snapshot: false,
    timeMs: 1000,
    more: false,
    removed: [],
    resources: [{ name: 'cart.retail' }],
  });
});
