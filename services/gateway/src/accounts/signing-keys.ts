import type { CryptoKey, JWK } from 'jose';
import { importJWK } from 'jose/key/import';
import { z } from 'zod';

export const ALGORITHMS = ['EdDSA', 'ES256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** A private key as JWK (RFC 7517; EdDSA: RFC 8037). */
const privateKeySchema = z
  .looseObject({
    kid: z.string().min(1).max(64),
    alg: z.enum(ALGORITHMS),
    kty: z.enum(['OKP', 'EC']),
    d: z.string().min(1),
  })
  .refine(({ alg, kty, crv }) =>
    alg === 'EdDSA' ? kty === 'OKP' && crv === 'Ed25519' : kty === 'EC' && crv === 'P-256',
  );

/** `{"keys": […]}` of private keys: the first signs, all of them verify. */
export const jwtKeys = z.string().transform((text, context) => {
  try {
    const { keys } = z.object({ keys: z.array(privateKeySchema).min(1).max(20) }).parse(JSON.parse(text));
    if (new Set(keys.map(({ kid }) => kid)).size === keys.length) return keys;
  } catch {
    // What is wrong with a secret is not repeated anywhere.
  }
  context.addIssue(
    'must be a JSON Web Key Set of private EdDSA or ES256 keys, each with its own kid (npm run keys)',
  );
  return z.NEVER;
});

export type PrivateKey = z.infer<typeof privateKeySchema>;

export type SigningKeys = {
  readonly signing: { readonly kid: string; readonly alg: Algorithm; readonly key: CryptoKey };
  readonly verifying: (kid: string, alg: string) => CryptoKey | null;
  /** What `/.well-known/jwks.json` says: nothing private. */
  readonly publicSet: { readonly keys: readonly JWK[] };
};

const PUBLIC_FIELDS = ['kty', 'crv', 'x', 'y', 'kid', 'alg'] as const;

const publicOf = (key: PrivateKey): JWK => ({
  ...(Object.fromEntries(PUBLIC_FIELDS.flatMap((name) => (name in key ? [[name, key[name]]] : []))) as JWK),
  use: 'sig',
});

const imported = async (key: JWK, alg: Algorithm) => (await importJWK(key, alg)) as CryptoKey;

export const openSigningKeys = async (keys: readonly PrivateKey[]): Promise<SigningKeys> => {
  const [first] = keys;
  if (!first) throw new Error('no key to sign with');
  const publicKeys = keys.map(publicOf);
  const verifying = new Map<string, CryptoKey>(
    await Promise.all(
      keys.map(async ({ kid, alg }, index) => {
        const key = await imported(publicKeys[index] as JWK, alg);
        return [`${alg} ${kid}`, key] as const;
      }),
    ),
  );
  return {
    signing: { kid: first.kid, alg: first.alg, key: await imported(first as JWK, first.alg) },
    verifying: (kid, alg) => verifying.get(`${alg} ${kid}`) ?? null,
    publicSet: { keys: publicKeys },
  };
};
