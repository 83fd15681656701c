/** HPACK: the RFC's own examples, round trips of arbitrary fields, and all limits. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HpackDecoder } from '../../../mesh/proxy/http2/hpack/decoder.js';
import { HpackEncoder } from '../../../mesh/proxy/http2/hpack/encoder.js';
import { Field, indexing, role } from '../../../mesh/proxy/http2/hpack/field.js';
import {
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
} from '../../../mesh/proxy/http2/hpack/huffman.js';
import { intern, makeField, maxInterned } from '../../../mesh/proxy/http2/hpack/intern.js';
import { staticTable } from '../../../mesh/proxy/http2/hpack/static-table.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex');
const shown = (fields: readonly Field[]): string[] => fields.map((f) => `${f.name}: ${f.value}`);
const decode = (decoder: HpackDecoder, hex: string): string[] => {
  const block = bytes(hex);
  return shown(decoder.decode(block, 0, block.length));
};

describe('RFC 7541, appendix C', () => {
  test.each([
    [
      'C.2.1',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      'custom-key: custom-header',
      55,
    ],
    ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path', 0],
    ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret', 0],
    ['C.2.4', '82', ':method: GET', 0],
  ])('%s', (_, hex, field, tableSize) => {
    const decoder = new HpackDecoder(4096, 65536);
    expect(decode(decoder, hex)).toEqual([field]);
    expect(decoder.tableSize).toBe(tableSize);
  });

  const requests = [
    [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
    [
      ':method: GET',
      ':scheme: http',
      ':path: /',
      ':authority: www.example.com',
      'cache-control: no-cache',
    ],
    [
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ],
  ];
  test.each([
    [
      'C.3',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('%s', (_, blocks) => {
    const decoder = new HpackDecoder(4096, 65536);
    expect(blocks.map((block) => decode(decoder, block))).toEqual(requests);
    expect(decoder.tableSize).toBe(164);
  });

  const date = (second: number): string => `date: Mon, 21 Oct 2013 20:13:2${second} GMT`;
  const location = 'location: https://www.example.com';
  const responses = [
    [':status: 302', 'cache-control: private', date(1), location],
    [':status: 307', 'cache-control: private', date(1), location],
    [
      ':status: 200',
      'cache-control: private',
      date(2),
      location,
      'content-encoding: gzip',
      'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ],
  ];
  test.each([
    [
      'C.5',
      [
        '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120' +
          '474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '4803 3330 37c1 c0bf',
        '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738' +
          '666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33' +
          '3630 303b 2076 6572 7369 6f6e 3d31',
      ],
    ],
    [
      'C.6',
      [
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718' +
          '63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7' +
          'b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
    ],
  ])('%s, with evictions', (_, blocks) => {
    const decoder = new HpackDecoder(256, 65536);
    expect(blocks.map((block) => decode(decoder, block))).toEqual(responses);
    expect(decoder.tableSize).toBe(215);
  });
});

test('the static table has the RFC’s 61 entries', () => {
  expect(staticTable.length - 1).toBe(61);
  expect(shown([staticTable[2], staticTable[16], staticTable[61]] as Field[])).toEqual([
    ':method: GET',
    'accept-encoding: gzip, deflate',
    'www-authenticate: ',
  ]);
});

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
});

test('Huffman coding round trips every string of octets', () => {
  fc.assert(
    fc.property(latin1, (text) => {
      const out = Buffer.alloc(text.length * 4 + 8);
      const end = huffmanEncode(text, out, 3);
      expect(end - 3).toBe(huffmanLength(text));
      expect(huffmanDecode(out, 3, end)).toBe(text);
    }),
  );
});

test.each([
  ['padding of eight ones', '1fff'],
  ['padding of zeros', '18'],
  ['the end-of-string symbol', 'ffffffff'],
])('Huffman coding with %s is refused', (_, hex) => {
  const block = bytes(hex);
  expect(huffmanDecode(block, 0, block.length)).toBeUndefined();
});

const token = fc.stringMatching(/^[a-z0-9-]{1,30}$/);
const value = fc.stringMatching(/^[\x21-\x7e]{0,60}$/);
const list = fc.array(
  fc.record({ name: token, value, how: fc.constantFrom('constant', 'varying') }),
  { maxLength: 20 },
);

test('the decoder reads the output of the encoder, through any sequence of blocks and table sizes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ list, limit: fc.option(fc.constantFrom(0, 50, 300, 4096, 9999)) }), {
        maxLength: 12,
      }),
      (blocks) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder(4096, 1 << 20);
        for (const block of blocks) {
          if (block.limit !== null) encoder.setPeerLimit(block.limit);
          const fields = block.list.map((f) => makeField(f.name, f.value, f.how === 'constant'));
          for (let twice = 0; twice < 2; twice++) {
            const out = Buffer.alloc(HpackEncoder.bound(fields));
            let end = encoder.begin(out, 0);
            for (const field of fields) end = encoder.field(field, out, end);
            expect(end).toBeLessThanOrEqual(out.length);
            expect(shown(decoder.decode(out, 0, end))).toEqual(shown(fields));
          }
        }
      },
    ),
  );
});

test('a field that recurs becomes one octet; one kept from tables stays so', () => {
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(1000);
  const field = makeField('x-team', 'checkout', true);
  encoder.field(field, out, 0);
  expect(encoder.field(field, out, 0)).toBe(1);
  const secret = makeField('authorization', 'Bearer abc', false);
  expect(secret.indexing).toBe(indexing.never);
  encoder.field(secret, out, 0);
  expect((out[0] as number) & 0xf0).toBe(0x10);
});

test('interned fields are bounded, and one that was dropped is interned anew', () => {
  const make = (i: number): Field =>
    intern(new Field('x-n', String(i), role.plain, indexing.incremental, 0, 0));
  const first = make(0);
  expect(make(0)).toBe(first);
  for (let i = 1; i <= maxInterned; i++) make(i);
  expect(first.id).toBe(-1);
  expect(make(0)).not.toBe(first);
});

test('a list beyond its bound is cut off, and the tables stay in step', () => {
  const decoder = new HpackDecoder(4096, 100);
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(5000);
  const fields = Array.from({ length: 8 }, (_, i) =>
    makeField(`x-long-${i}`, 'y'.repeat(40), true),
  );
  let end = 0;
  for (const field of fields) end = encoder.field(field, out, end);
  expect(decoder.decode(out, 0, end).length).toBe(1);
  expect(decoder.tooLarge).toBe(true);
  end = encoder.field(fields[7] as Field, out, 0);
  expect(shown(decoder.decode(out, 0, end))).toEqual([`x-long-7: ${'y'.repeat(40)}`]);
  expect(decoder.tooLarge).toBe(false);
});

test.each([
  ['index 0', '80'],
  ['an index beyond the table', 'be'],
  ['an endless integer', 'ffffffffffffffff7f'],
  ['a string longer than the block', '0005616263'],
  ['a size update after a field', '823f'],
  ['a size update beyond our limit', '3fe1ff03'],
])('%s is refused', (_, hex) => {
  expect(() => decode(new HpackDecoder(4096, 65536), hex)).toThrow();
});

test('arbitrary octets never do worse than a CompressionError', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), (blocks) => {
      const decoder = new HpackDecoder(512, 2000);
      try {
        for (const block of blocks) decoder.decode(Buffer.from(block), 0, block.length);
      } catch (error) {
        expect((error as Error).constructor.name).toBe('CompressionError');
      }
      expect(decoder.tableSize).toBeLessThanOrEqual(512);
    }),
    { numRuns: 500 },
  );
});

test('names and values are judged once, when they are decoded', () => {
  const decoder = new HpackDecoder(4096, 65536);
  const literal = (name: string, text: string): Field => {
    const block = Buffer.concat([
      Buffer.from([0, name.length]),
      Buffer.from(name, 'latin1'),
      Buffer.from([text.length]),
      Buffer.from(text, 'latin1'),
    ]);
    return decoder.decode(block, 0, block.length)[0] as Field;
  };
  expect(literal('X-Upper', 'a').role).toBe(role.malformed);
  expect(literal('x y', 'a').role).toBe(role.malformed);
  expect(literal('', 'a').role).toBe(role.malformed);
  expect(literal('x', 'a\r\nb: c').role).toBe(role.malformed);
  expect(literal('x', ' a').role).toBe(role.malformed);
  expect(literal('x', 'a b').role).toBe(role.plain);
  expect(literal(':protocol', 'websocket').role).toBe(role.unknownPseudo);
  expect(literal('connection', 'close').role).toBe(role.connectionSpecific);
});

test('recurring HTTP/1.1 fields get a place in tables; fields that a table would help to guess do not', () => {
  const encoded = (name: string): number => {
    const encoder = new HpackEncoder();
    const out = Buffer.alloc(200);
    let bytes = 0;
    // Made again each time, as a translation does.
    for (let i = 0; i < 4; i++)
      bytes = encoder.field(makeField(name, 'some-value-of-it', false), out, 0);
    return bytes;
  };
  expect(encoded('x-recurring')).toBe(1);
  for (const name of ['cookie', 'set-cookie', 'authorization', 'x-api-key', 'x-csrf-token'])
    expect([name, encoded(name) > 16]).toEqual([name, true]);
  // Each takes one place, and there are more than places.
  for (let i = 0; i < 3 * maxInterned; i++) makeField('x-many', String(i), false);
  expect(encoded('x-recurring')).toBe(1);
});

test('the tables of a connection that sent nothing take less than a kilobyte', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const count = 2000;
  const used = (): number => {
    collect();
    return getHeapStatistics().used_heap_size;
  };
  const kept: unknown[] = Array.from({ length: count });
  const before = used();
  for (let i = 0; i < count; i++) kept[i] = [new HpackEncoder(), new HpackDecoder(4096, 65_536)];
  expect((used() - before) / kept.length).toBeLessThan(1024);
});
