/** Bodies of answers, bounded: a body may be endless, and a small one may unpack to an endless one. */

/** 256 MiB: a month of a thousand series at 10,000 points each is less. */
export const mostBytes = 256 * 1024 * 1024;

/** The body. Throws `tooLong` if it has more than `most` bytes, and if the connection breaks. */
export async function boundedBytes(
  response: Response,
  most = mostBytes,
  tooLong = `its answer has more than ${most >> 20} MiB`,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > most) throw new Error(tooLong);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as text, without a byte order mark. Throws as `boundedBytes` does. */
export async function boundedText(response: Response, most = mostBytes): Promise<string> {
  return new TextDecoder().decode(await boundedBytes(response, most));
}

/** The body as JSON. Throws as `boundedText` does, and if the body is not JSON. */
export async function boundedJson(response: Response, most = mostBytes): Promise<unknown> {
  return JSON.parse(await boundedText(response, most));
}
