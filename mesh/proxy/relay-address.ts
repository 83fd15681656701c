/**
 * Source address of connections to the pod's own address: the redirection tells them by it from a peer's connections.
 */
export const relayAddress = '127.0.0.6';
