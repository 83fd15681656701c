/** A workload's key and certificate request (PKCS #10, RFC 2986). Small, since the proxy imports it. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { bitString, der, octetString, oid, sequence, set } from './der.js';

export interface WorkloadKey {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** A fresh ECDSA P-256 key pair: about 0.1 ms. */
export function generateWorkloadKey(): WorkloadKey {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

/** DER of a request for `identity` as DNS SAN, with an empty subject, signed with the key (ECDSA, SHA-256). */
export function createCsr(key: WorkloadKey, identity: string): Buffer {
  const san = sequence(der(0x82, Buffer.from(identity, 'latin1')));
  const extension = sequence(oid('2.5.29.17'), octetString(san));
  const attribute = sequence(oid('1.2.840.113549.1.9.14'), set(sequence(extension)));
  const info = sequence(
    der(0x02, Buffer.from([0])),
    sequence(),
    key.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa0, attribute),
  );
  return sequence(info, ecdsaWithSha256, bitString(sign('sha256', info, key.privateKey)));
}

/** PEM armour. */
export function toPem(label: 'CERTIFICATE' | 'CERTIFICATE REQUEST', content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The certificates of a PEM text, each with its armour. */
export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** Trust anchors, PEM, one certificate each. Throws if there is none, or one is no certificate. */
export function readAnchors(pems: readonly string[]): X509Certificate[] {
  if (pems.length === 0) throw new Error('the trust anchors hold no certificate');
  return pems.map((pem) => new X509Certificate(pem));
}
