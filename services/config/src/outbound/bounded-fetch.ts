/** Why something could not be fetched, for people: no address, no token. */
export class FetchFault extends Error {
  override name = 'FetchFault';
}

/** The body of a good answer. Throws FetchFault for another answer, and for one that is too large. */
export const readBounded = async (response: Response, maxBytes: number): Promise<string> => {
  if (!response.ok) {
    await response.body?.cancel();
    throw new FetchFault(`was answered with HTTP ${response.status}`);
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new FetchFault(`is larger than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
};

/** What went wrong with a fetch that was given `timeoutMs`. */
export const toFetchFault = (error: unknown, timeoutMs: number): FetchFault => {
  if (error instanceof FetchFault) return error;
  if (error instanceof Error && error.name === 'TimeoutError')
    return new FetchFault(`took longer than ${timeoutMs} ms`);
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return new FetchFault(`could not be fetched${code ? ` (${code})` : ''}`, { cause: error });
};
