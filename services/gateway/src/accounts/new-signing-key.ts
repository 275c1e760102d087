import { generateKeyPairSync, randomBytes } from 'node:crypto';

/** A private Ed25519 key as JWK (RFC 8037). */
export const newSigningKey = () => ({
  ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  kid: randomBytes(6).toString('hex'),
  alg: 'EdDSA',
  use: 'sig',
});
