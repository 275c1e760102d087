import { accept, type Outcome, refuse } from '@esl/kit/outcome';
import { MAX_WEBHOOK_URL_LENGTH } from '@esl-pipeline/contracts/http/webhooks';
import { isPublicAddress } from './public-address.ts';

const no = (message: string) => refuse('invalid_webhook_url', message);

/** The host without the brackets of an IPv6 address. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');

/** Whether a host is written as an address; the URL parser has turned every odd spelling of one into digits. */
export const isAddress = (host: string): boolean => host.includes(':') || /^[\d.]+$/.test(host);

/** Names that no public resolver knows (RFC 6761, RFC 8375, and what home and cloud networks use). */
const PRIVATE_NAME = /(^|\.)(localhost|local|internal|home\.arpa|lan|intranet|corp|home)\.?$/;

/**
 * What can be said of an address without asking anyone: https, without a password in it, and not plainly private.
 * Names are looked up later, each time something is sent.
 */
export const readWebhookUrl = (
  text: string,
  { allowPrivate }: { readonly allowPrivate: boolean },
): Outcome<URL, 'invalid_webhook_url'> => {
  const url = text.length <= MAX_WEBHOOK_URL_LENGTH ? URL.parse(text) : null;
  if (!url) return no('The address is not a URL of at most 2,048 characters.');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:'))
    return no('The address must begin with https://.');
  if (url.username !== '' || url.password !== '')
    return no('The address must hold no user name and no password.');
  url.hash = '';
  if (allowPrivate) return accept(url);
  const host = hostOf(url);
  if (isAddress(host) ? !isPublicAddress(host) : PRIVATE_NAME.test(host) || !host.includes('.'))
    return no('The address must be reachable from the internet.');
  return accept(url);
};
