const parsed = (url: string): URL | null => (URL.canParse(url) ? new URL(url) : null);

/** An address a link may lead to, or null. Written as the browser understands it, so that no spelling hides a script. */
export const safeLink = (url: string): string | null => {
  const address = parsed(url);
  return address && ['http:', 'https:', 'mailto:'].includes(address.protocol) ? address.href : null;
};

/** An address an image may be loaded from, or null. */
export const safeImage = (url: string): string | null => {
  const address = parsed(url);
  return address?.protocol === 'https:' ? address.href : null;
};

/** Where our own audio may be: the page itself, a web address, or a path beside the page. */
export const safeAudio = (url: string): string | null => {
  if (/^data:audio\/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]*$/i.test(url)) return url;
  const address = parsed(url);
  if (address) return ['http:', 'https:'].includes(address.protocol) ? address.href : null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers drop these, so they could hide a scheme
  return /^[^:\s\u0000-\u001f]+$/.test(url) ? url : null;
};
