/**
 * File descriptors that are about to run out: the system gives out the lowest that is free. At the limit itself libuv
 * closes new clients without a word, so that some descriptors must stay free for refusals that are counted.
 */
import type { Socket } from 'node:net';
import { fileLimit } from '../telemetry/process-metrics.js';

const limit = fileLimit() ?? Infinity;
/** Clients leave some to the connections to endpoints, and both to the process itself. */
const [ofClients, ofEndpoints] = [(limit * 7) / 8, (limit * 15) / 16];

const fileOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

export const tooManyForClient = (socket: Socket): boolean => fileOf(socket) >= ofClients;
export const tooManyForEndpoint = (socket: Socket): boolean => fileOf(socket) >= ofEndpoints;
