/** Whether If-None-Match names this entity tag, compared weakly (RFC 9110 §13.1.2). */
export const isFresh = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((tag) => {
    const named = tag.trim().replace(/^W\//, '');
    return named === '*' || named === etag;
  });
