/** Endpoints from SRV records, by a DNS server on loopback. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { expect, test } from 'vitest';
import { SystemResolver } from '../../../mesh/controller/discovery/dns.js';
import { atEnd } from './bench-mesh.js';

const types = { A: 1, AAAA: 28, SRV: 33 };
type Type = keyof typeof types;
const nameOf = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((part) => Buffer.from([part.length, ...Buffer.from(part)])),
    Buffer.from([0]),
  ]);
const u16 = (...values: number[]): Buffer =>
  Buffer.concat(values.map((v) => Buffer.from([v >> 8, v & 255])));
const addressData = (ip: string): Buffer =>
  isIPv6(ip)
    ? Buffer.concat([u16(0xfd00), Buffer.alloc(13), Buffer.from([Number(ip.slice(-1))])])
    : Buffer.from(ip.split('.').map(Number));

/** Answers from `NAME TYPE`: addresses, or `priority weight port target`. A name that is not there is denied. */
async function resolverOver(zone: Record<string, string[]>): Promise<SystemResolver> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    let end = 12;
    const labels: string[] = [];
    for (; query[end] !== 0; end += 1 + (query[end] as number))
      labels.push(query.subarray(end + 1, end + 1 + (query[end] as number)).toString());
    const number = query.readUInt16BE(end + 1);
    const type = (Object.keys(types) as Type[]).find((t) => types[t] === number);
    const name = labels.join('.');
    const found = zone[`${name} ${type}`] ?? [];
    const exists = Object.keys(zone).some((key) => key.startsWith(`${name} `));
    const records = found.map((text) => {
      const [priority, weight, port, target = ''] = text.split(' ');
      const data =
        type === 'SRV'
          ? Buffer.concat([u16(...[priority, weight, port].map(Number)), nameOf(target)])
          : addressData(text);
      return Buffer.concat([u16(0xc00c, number, 1, 0, 60, data.length), data]);
    });
    const head = u16(query.readUInt16BE(0), exists ? 0x8180 : 0x8183, 1, records.length, 0, 0);
    socket.send(Buffer.concat([head, query.subarray(12, end + 5), ...records]), from.port);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  atEnd(() => void socket.close());
  return new SystemResolver([`127.0.0.1:${socket.address().port}`]);
}

test('a target has its IPv4 addresses, else those of IPv6; one without any leaves the others', async () => {
  const resolver = await resolverOver({
    '_web._tcp.shop SRV': [
      '1 5 80 four.shop',
      '1 0 81 six.shop',
      '1 0 82 both.shop',
      '1 0 83 gone.shop',
      '2 0 84 spare.shop',
    ],
    'four.shop A': ['10.0.0.1'],
    'six.shop AAAA': ['fd00::2'],
    'both.shop A': ['10.0.0.3'],
    'both.shop AAAA': ['fd00::3'],
    'spare.shop A': ['10.0.0.9'],
  });
  const { addresses, ttlMs } = await resolver.resolve({ name: '_web._tcp.shop', type: 'SRV' });
  expect(addresses).toEqual([
    { address: '10.0.0.1:80', weight: 5 },
    { address: '[fd00::2]:81' },
    { address: '10.0.0.3:82' },
  ]);
  expect(ttlMs).toBe(30_000);
});

test('targets without any address are a denial, as a name that is not there', async () => {
  const resolver = await resolverOver({ '_web._tcp.shop SRV': ['1 0 80 gone.shop'] });
  const of = (name: string) => resolver.resolve({ name, type: 'SRV' });
  await expect(of('_web._tcp.shop')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  await expect(of('_none._tcp.shop')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});
