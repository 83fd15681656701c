/** Bodies of answers, bounded: a body may be endless, and a small one may unpack to an endless one. */

/** 256 MiB: a month of a thousand series at 10,000 points each is less. */
export const mostBytes = 256 * 1024 * 1024;

/** The body as text. Throws if it has more than `most` bytes, or if the connection breaks. */
export async function boundedText(response: Response, most = mostBytes): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > most) throw new Error(`its answer has more than ${most >> 20} MiB`);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** The body as JSON. Throws as `boundedText` does, and if the body is not JSON. */
export async function boundedJson(response: Response, most = mostBytes): Promise<unknown> {
  return JSON.parse(await boundedText(response, most));
}
