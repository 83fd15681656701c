/** The names of the installation's objects, and its identity. */
import { identityName } from '../../identity/names.js';

export const names = {
  controller: 'firedrill-controller',
  injector: 'firedrill-injector',
  redirector: 'firedrill-redirector',
  issuerSecret: 'firedrill-identity-issuer',
  webhookSecret: 'firedrill-webhook-tls',
  bundle: 'firedrill-trust-anchors',
  config: 'firedrill-config',
  /** Made by the user: `ca.crt` of Vault's own certificate. */
  vaultAuthority: 'firedrill-vault-ca',
  mutatingWebhook: 'firedrill-injector',
  validatingWebhook: 'firedrill-validator',
} as const;

/** The redirector's own namespace, because its pods need rights that the control plane's namespace refuses. */
export const nodeNamespaceOf = (namespace: string): string => `${namespace}-node`;

/** The identity of every revision's controller: to the proxies, the revisions are one control plane. */
export const controllerIdentityOf = (namespace: string, trustDomain: string): string =>
  identityName({ serviceAccount: names.controller, namespace, trustDomain });

/** The tag of `registry:5000/firedrill:0.1.0@sha256:…`; empty if there is none. */
export const tagOf = (image: string): string => /^[^@]*:([^/@:]+)(?:@|$)/.exec(image)?.[1] ?? '';
