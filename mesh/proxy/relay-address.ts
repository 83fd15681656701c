/** Connections to the pod's own address are made from here, by which the redirection tells them from a peer's. */
export const relayAddress = '127.0.0.6';
