/** Names of workloads: `<service account>.<namespace>.serviceaccount.identity.<trust domain>`, a DNS SAN. */

import { UserError } from '../../base/errors.js';

export interface WorkloadName {
  serviceAccount: string;
  namespace: string;
  trustDomain: string;
}

const middle = '.serviceaccount.identity.';
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The DNS name in a workload's certificate. Service account names may hold dots; namespaces may not. */
export function identityName(name: WorkloadName): string {
  return `${name.serviceAccount}.${name.namespace}${middle}${name.trustDomain}`;
}

/** The same as a SPIFFE id, the certificate's URI SAN. */
export function spiffeId(name: WorkloadName): string {
  return `spiffe://${name.trustDomain}/ns/${name.namespace}/sa/${name.serviceAccount}`;
}

/** The parts of a name, or undefined when it is not an identity. */
export function parseIdentity(text: string): WorkloadName | undefined {
  // The last occurrence counts: a service account's name may contain these words too.
  const at = text.lastIndexOf(middle);
  if (at < 0) return undefined;
  const left = text.slice(0, at);
  const dot = left.lastIndexOf('.');
  if (dot <= 0) return undefined;
  const name = {
    serviceAccount: left.slice(0, dot),
    namespace: left.slice(dot + 1),
    trustDomain: text.slice(at + middle.length),
  };
  return isWorkloadName(name) ? name : undefined;
}

/** The runtime quotes a value that could be mistaken for several names; quoted text is no name. */
const alternativeName = /([^:,]+):("(?:\\.|[^"\\])*"|[^,]*)(?:, |$)/gy;

/** The DNS names in X509Certificate.subjectAltName, in lower case. */
export function dnsNamesIn(subjectAltName: string | undefined): string[] {
  return [...(subjectAltName ?? '').matchAll(alternativeName)].flatMap(([, type, value = '']) =>
    type === 'DNS' && !value.startsWith('"') ? [value.toLowerCase()] : [],
  );
}

export function isWorkloadName(name: WorkloadName): boolean {
  const labels = [
    ...name.serviceAccount.split('.'),
    name.namespace,
    ...name.trustDomain.split('.'),
  ];
  return labels.every((part) => label.test(part)) && identityName(name).length <= 253;
}

/** Names of accounts and namespaces stand before it in a DNS name, which has at most 253 characters. */
const longestTrustDomain = 150;

/** Reads the value of `--trust-domain`; throws a UserError if no certificate could bear it. */
export function readTrustDomain(text: string): string {
  if (text.length <= longestTrustDomain && text.split('.').every((part) => label.test(part)))
    return text;
  throw new UserError({
    message: `--trust-domain ${JSON.stringify(text)}`,
    expected: `a domain name in lower case, such as retail.local, of at most ${longestTrustDomain} characters`,
  });
}
