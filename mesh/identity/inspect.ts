/** The contents of certificates, and the check of their chain, for people and for programs. */
import type { X509Certificate } from 'node:crypto';
import { readInput } from '../../base/input.js';
import { isSignedBy, readCertificates } from './issuing.js';
import { notAfterMs, notBeforeMs, sha256Hex } from './x509.js';

export interface CertificateReport {
  file: string;
  subject: string;
  issuer: string;
  names: string;
  serial: string;
  sha256: string;
  ca: boolean;
  notBefore: string;
  notAfter: string;
  /** The problems of the certificate; empty: none. */
  problems: string[];
}

export function inspectFiles(
  files: readonly string[],
  anchorsFile: string | undefined,
  nowMs: number,
): { certificates: CertificateReport[]; text: string; good: boolean } {
  const anchors = anchorsFile ? readCertificates(readInput(anchorsFile), anchorsFile) : undefined;
  const certificates = files.flatMap((file) => {
    const chain = readCertificates(readInput(file), file);
    return chain.map((certificate, i) => {
      const report = reportOf(file, certificate, nowMs);
      const above = chain[i + 1];
      if (above && !certificate.ca && !isSignedBy(certificate, above)) {
        report.problems.push('not signed by the next certificate in the file');
      }
      if (anchors && i === chain.length - 1 && !reaches(certificate, anchors)) {
        report.problems.push(`not signed by an anchor in ${anchorsFile}`);
      }
      return report;
    });
  });
  return {
    certificates,
    text: certificates.map(format).join('\n\n'),
    good: certificates.every((c) => c.problems.length === 0),
  };
}

function reaches(certificate: X509Certificate, anchors: readonly X509Certificate[]): boolean {
  return anchors.some(
    (anchor) =>
      anchor.fingerprint256 === certificate.fingerprint256 || isSignedBy(certificate, anchor),
  );
}

function reportOf(file: string, certificate: X509Certificate, nowMs: number): CertificateReport {
  const problems: string[] = [];
  if (notAfterMs(certificate) <= nowMs) problems.push('expired');
  if (notBeforeMs(certificate) > nowMs) problems.push('not valid yet');
  return {
    file,
    subject: certificate.subject,
    issuer: certificate.issuer,
    names: certificate.subjectAltName ?? '',
    serial: certificate.serialNumber,
    sha256: sha256Hex(certificate.raw),
    ca: certificate.ca,
    notBefore: new Date(notBeforeMs(certificate)).toISOString(),
    notAfter: new Date(notAfterMs(certificate)).toISOString(),
    problems,
  };
}

function format(report: CertificateReport): string {
  return Object.entries(report)
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .map(([field, value]) => `${field.padEnd(10)} ${String(value)}`)
    .join('\n');
}
