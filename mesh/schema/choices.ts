/** Words of the model that several readers accept. */

/** `detect` examines the first bytes; `opaque` never does. */
export const protocols = ['detect', 'http1', 'http2', 'opaque'] as const;
export type DeclaredProtocol = (typeof protocols)[number];

/** For a peer without a mesh identity, or not on any authorization's list; `audit` only reports. */
export const accessPolicies = [
  'all-unauthenticated',
  'all-authenticated',
  'cluster-authenticated',
  'audit',
  'deny',
] as const;
export type AccessPolicy = (typeof accessPolicies)[number];
