/** The addresses of the SOCKS client, beside the runtime's own reading of them. */
import { isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Address4, Address6 } from '../../mesh/kubernetes/client/socks-address.js';

test.each([
  ['::', '0000:0000:0000:0000:0000:0000:0000:0000'],
  ['::1', '0000:0000:0000:0000:0000:0000:0000:0001'],
  ['fe80::1%eth0', 'fe80:0000:0000:0000:0000:0000:0000:0001'],
  ['2001:db8::', '2001:0db8:0000:0000:0000:0000:0000:0000'],
  ['1:2:3:4:5:6:7:8', '0001:0002:0003:0004:0005:0006:0007:0008'],
  ['::ffff:192.0.2.33', '0000:0000:0000:0000:0000:ffff:c000:0221'],
])('%s is %s', (text, canonical) => {
  expect(isIPv6(text)).toBe(true);
  expect(new Address6(text).canonicalForm()).toBe(canonical);
});

test('any sixteen bytes come back, in the short form too', () => {
  const bytes = fc.array(fc.constantFrom(0, 0, 1, 255), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(bytes, (all) => {
      const canonical = Address6.fromByteArray(all).canonicalForm();
      expect(canonical.replaceAll(':', '')).toBe(Buffer.from(all).toString('hex'));
      const { address } = new SocketAddress({ address: canonical, family: 'ipv6' });
      expect(new Address6(address).canonicalForm()).toBe(canonical);
    }),
  );
});

test('an IPv4 address is four bytes', () => {
  expect(new Address4('192.0.2.33').toArray()).toEqual([192, 0, 2, 33]);
});
