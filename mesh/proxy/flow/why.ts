/** Why a request went as it did: a bounded ring of recent decisions, found by the request's id. */

/** Plain JSON: what GET /why?id= answers. */
export type WhyRecord = Record<string, unknown>;

export class WhyRing {
  /** The last record of this request id (x-request-id, or the trace id); undefined: not recorded, or long ago. */
  find(_id: string): WhyRecord | undefined {
    return undefined;
  }

  /** Newest first, for GET /why without an id. */
  recent(_limit: number): WhyRecord[] {
    return [];
  }

  /** Records every request for so long, not just a sample and those that went wrong (POST /why {"forMs": 60000}). */
  recordAll(_forMs: number): void {}
}
