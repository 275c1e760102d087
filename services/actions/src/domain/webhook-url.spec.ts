import { describe, expect, it } from 'vitest';
import { readWebhookUrl } from './webhook-url.ts';

const open = { allowPrivate: false };

describe('the address of a webhook', () => {
  it.each(['https://example.com/hook?a=1', 'https://example.com:8443', 'https://1.1.1.1/x'])(
    'may be %s',
    (text) => {
      expect(readWebhookUrl(text, open).ok).toBe(true);
    },
  );

  it.each([
    '',
    'example.com',
    'http://example.com',
    'ftp://example.com',
    'javascript:alert(1)',
    'https://user@example.com',
    'https://:secret@example.com',
    `https://example.com/${'x'.repeat(2_048)}`,
    'https://localhost',
    'https://LOCALHOST./x',
    'https://printer.local',
    'https://metadata.google.internal',
    'https://intranet',
    'https://127.0.0.1',
    'https://2130706433',
    'https://0x7f.1',
    'https://0177.0.0.1',
    'https://127。0。0。1',
    'https://[::1]:8443',
    'https://[::ffff:10.0.0.1]',
    'https://169.254.169.254/latest/meta-data',
  ])('may not be %s', (text) => {
    expect(readWebhookUrl(text, open)).toMatchObject({ refusal: { code: 'invalid_webhook_url' } });
  });

  it('may be anywhere when private addresses are allowed, over plain http too', () => {
    for (const text of ['http://127.0.0.1:9000/hook', 'https://localhost', 'http://receiver'])
      expect(readWebhookUrl(text, { allowPrivate: true }).ok).toBe(true);
    expect(readWebhookUrl('http://a:b@127.0.0.1', { allowPrivate: true }).ok).toBe(false);
  });

  it('is kept without its fragment', () => {
    const read = readWebhookUrl('https://example.com/a#b', open);
    expect(read.ok && read.value.href).toBe('https://example.com/a');
  });
});
