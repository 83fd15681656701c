/** Source address of connections to the pod's own address; it distinguishes them from a peer's connections. */
export const relayAddress = '127.0.0.6';
