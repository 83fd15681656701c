/** Writes certificates and reads requests with node-forge's ASN.1; signs and verifies with node:crypto. */
import {
  createHash,
  createPublicKey,
  type KeyObject,
  randomBytes,
  verify,
  X509Certificate,
} from 'node:crypto';
import forge from 'node-forge';
import { dnsNamesIn } from './names.js';

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;
const { Class, Type } = asn1;

/** A signing key, wherever it is kept: in a file, or in Vault behind its HTTP API. */
export interface Signer {
  readonly publicKey: KeyObject;
  /** The signature in DER, as X.509 requires. */
  sign(data: Buffer): Promise<Buffer>;
}

export interface CertificateRequest {
  /** SubjectPublicKeyInfo, DER. */
  publicKeyDer: Buffer;
  dnsNames: string[];
  uris: string[];
  /** Names of other types: addresses, mailboxes. */
  otherNames: number;
}

export class CsrError extends Error {}

const maxCsrBytes = 16 * 1024;

/** Reads a PKCS #10 request and verifies that the requester holds the key. Throws CsrError. */
export function readCsr(der: Buffer): CertificateRequest {
  if (der.length > maxCsrBytes) throw new CsrError(`request of ${der.length} bytes`);
  try {
    const request = asn1.fromDer(forge.util.createBuffer(der.toString('latin1')), {
      strict: true,
      parseAllBytes: true,
      decodeBitStrings: false,
    } as unknown as boolean);
    const [info, , signature] = children(request);
    const [, , publicKey, attributes] = children(info);
    const publicKeyDer = toDer(publicKey as Asn1);
    const key = createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' });
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new CsrError('the key must be ECDSA P-256');
    }
    // The first byte of a BIT STRING is the number of unused bits.
    const bits = Buffer.from(String(signature?.value), 'latin1').subarray(1);
    if (!verify('sha256', toDer(info as Asn1), key, bits)) {
      throw new CsrError('the signature does not match the key');
    }
    return { publicKeyDer, ...namesOf(attributes) };
  } catch (error) {
    if (error instanceof CsrError) throw error;
    throw new CsrError('not a certificate request in DER');
  }
}

function namesOf(attributes: Asn1 | undefined): Omit<CertificateRequest, 'publicKeyDer'> {
  const names = { dnsNames: [] as string[], uris: [] as string[], otherNames: 0 };
  if (!attributes) return names;
  for (const attribute of children(attributes)) {
    const [type, values] = children(attribute);
    if (oidOf(type) !== '1.2.840.113549.1.9.14') continue;
    for (const extension of children(values).flatMap(children)) {
      const parts = children(extension);
      if (oidOf(parts[0]) !== '2.5.29.17') continue;
      const san = asn1.fromDer(String(parts[parts.length - 1]?.value));
      for (const name of children(san)) {
        if (Number(name.type) === 2) names.dnsNames.push(String(name.value));
        else if (Number(name.type) === 6) names.uris.push(String(name.value));
        else names.otherNames++;
      }
    }
  }
  return names;
}

export interface CertificateTemplate {
  /** DER of the SubjectPublicKeyInfo. */
  publicKeyDer: Buffer;
  commonName: string;
  notBeforeMs: number;
  notAfterMs: number;
  /** A CA certificate may sign others; `pathLength` 0 signs leaves only. */
  ca?: { pathLength?: number };
  dnsNames?: readonly string[];
  uris?: readonly string[];
  /** Absent: self-signed. */
  issuer?: X509Certificate;
}

/** Builds a certificate and has it signed. Times are cut to whole seconds. */
export async function createCertificate(
  template: CertificateTemplate,
  signer: Signer,
): Promise<X509Certificate> {
  const algorithm = signatureAlgorithm(signer.publicKey);
  const subject = nameOf(template.commonName);
  const issuerName = template.issuer ? subjectOf(template.issuer) : subject;
  const tbs = seq(
    context(0, [primitive(Type.INTEGER, '\x02')]),
    primitive(Type.INTEGER, serialNumber()),
    algorithm,
    issuerName,
    seq(time(template.notBeforeMs), time(template.notAfterMs)),
    subject,
    asn1.fromDer(template.publicKeyDer.toString('latin1')),
    context(3, [seq(...extensionsOf(template, signer))]),
  );
  const signature = await signer.sign(toDer(tbs));
  const bits = primitive(Type.BITSTRING, `\x00${signature.toString('latin1')}`);
  return new X509Certificate(toDer(seq(tbs, algorithm, bits)));
}

function extensionsOf(template: CertificateTemplate, signer: Signer): Asn1[] {
  const boolean = primitive(Type.BOOLEAN, '\xff');
  const list: Asn1[] = [];
  const add = (id: string, critical: boolean, value: Asn1): void => {
    const octets = primitive(Type.OCTETSTRING, asn1.toDer(value).getBytes());
    list.push(seq(oid(id), ...(critical ? [boolean] : []), octets));
  };
  const path = template.ca?.pathLength;
  const length = path === undefined ? [] : [primitive(Type.INTEGER, String.fromCharCode(path))];
  add('2.5.29.19', true, template.ca ? seq(boolean, ...length) : seq());
  // Bits are counted from the left: keyCertSign 5, cRLSign 6; digitalSignature 0.
  add('2.5.29.15', true, primitive(Type.BITSTRING, template.ca ? '\x01\x06' : '\x07\x80'));
  if (!template.ca)
    add('2.5.29.37', false, seq(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2')));
  add('2.5.29.14', false, primitive(Type.OCTETSTRING, keyId(template.publicKeyDer)));
  const issuerKey = signer.publicKey.export({ type: 'spki', format: 'der' });
  add('2.5.29.35', false, seq(contextPrimitive(0, keyId(issuerKey))));
  const names = [
    ...(template.dnsNames ?? []).map((name) => contextPrimitive(2, name)),
    ...(template.uris ?? []).map((uri) => contextPrimitive(6, uri)),
  ];
  if (names.length > 0) add('2.5.29.17', false, seq(...names));
  return list;
}

/** The SubjectPublicKeyInfo of a certificate, DER, and hashes that identify keys and certificates. */
export const publicKeyDerOf = (certificate: X509Certificate): Buffer =>
  certificate.publicKey.export({ type: 'spki', format: 'der' });

export const sha256Hex = (data: Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');

/** Milliseconds since the epoch. */
export const notAfterMs = (certificate: X509Certificate): number => Date.parse(certificate.validTo);
export const notBeforeMs = (certificate: X509Certificate): number =>
  Date.parse(certificate.validFrom);

/** The DNS names among the subject alternative names. */
export const dnsNames = (certificate: X509Certificate): string[] =>
  dnsNamesIn(certificate.subjectAltName);

/** RFC 5280's method 1: SHA-1 of the key's bits. It only names the key; security does not depend on it. */
function keyId(publicKeyDer: Buffer): string {
  const spki = asn1.fromDer(publicKeyDer.toString('latin1'), {
    decodeBitStrings: false,
  } as unknown as boolean);
  const bits = Buffer.from(String(children(spki)[1]?.value), 'latin1').subarray(1);
  return createHash('sha1').update(bits).digest().toString('latin1');
}

/** 127 random bits, positive and never zero. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('latin1');
}

function signatureAlgorithm(key: KeyObject): Asn1 {
  if (key.asymmetricKeyType === 'rsa') {
    return seq(oid('1.2.840.113549.1.1.11'), primitive(Type.NULL, ''));
  }
  if (key.asymmetricKeyType === 'ec') return seq(oid('1.2.840.10045.4.3.2'));
  throw new Error(`an issuer's key must be EC or RSA, not ${key.asymmetricKeyType}`);
}

function subjectOf(certificate: X509Certificate): Asn1 {
  const [tbs] = children(asn1.fromDer(certificate.raw.toString('latin1')));
  const fields = children(tbs);
  // Version is [0] and optional; then serial, algorithm, issuer, validity, subject.
  return fields[Number(fields[0]?.tagClass) === Number(Class.CONTEXT_SPECIFIC) ? 5 : 4] as Asn1;
}

function nameOf(commonName: string): Asn1 {
  // X.520 caps a common name at 64 characters; peers check the SAN.
  const value = primitive(Type.UTF8, commonName.slice(0, 64));
  return seq(asn1.create(Class.UNIVERSAL, Type.SET, true, [seq(oid('2.5.4.3'), value)]));
}

function time(ms: number): Asn1 {
  const date = new Date(Math.floor(ms / 1000) * 1000);
  return date.getUTCFullYear() < 2050
    ? primitive(Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

function children(node: Asn1 | undefined): Asn1[] {
  if (!node || !Array.isArray(node.value)) throw new CsrError('unexpected ASN.1');
  return node.value as Asn1[];
}

function oidOf(node: Asn1 | undefined): string {
  return asn1.derToOid(String(node?.value));
}

const primitive = (type: forge.asn1.Type, value: string): Asn1 =>
  asn1.create(Class.UNIVERSAL, type, false, value);
const seq = (...items: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, items);
const context = (tag: number, items: Asn1[]): Asn1 =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, true, items);
const contextPrimitive = (tag: number, value: string): Asn1 =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, false, value);
const oid = (id: string): Asn1 => primitive(Type.OID, asn1.oidToDer(id).getBytes());
const toDer = (node: Asn1): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
