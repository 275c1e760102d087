import { randomBytes } from 'node:crypto';
import { uploadSchema } from '@esl-pipeline/contracts';
import { SignJWT } from 'jose';
import { loadConfig as loadActionsConfig } from '../../actions/src/config.ts';
import { startActions } from '../../actions/src/start.ts';
import { loadConfig as loadConfigConfig } from '../../config/src/config.ts';
import { startConfig } from '../../config/src/start.ts';
import { newSigningKey } from '../src/accounts/new-signing-key.ts';
import { jwtKeys, openSigningKeys } from '../src/accounts/signing-keys.ts';
import { createAdmin } from '../src/create-admin.ts';
import { client, openGatewayWorld, PASSWORD } from './gateway-world.ts';

export type Person = {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly http: ReturnType<typeof client>;
};

const SIGNED_IN = newSigningKey();

/** A gateway with the services behind it, and people of every role. */
export const openPeople = async (env: Record<string, string> = {}) => {
  const system = await openGatewayWorld();
  const { world } = system;
  const SECRETS_KEYS = `v1:${randomBytes(32).toString('base64')}`;
  const config = await world.run(startConfig({ config: loadConfigConfig({ ...world.env }), log: world.log }));
  const actions = await world.run(
    startActions({
      config: loadActionsConfig({
        ...world.env,
        JOBS_ADDR: system.jobsAddress,
        CONFIG_ADDR: config.address,
        SECRETS_KEYS,
        WEBHOOK_ALLOW_PRIVATE: 'true',
      }),
      log: world.log,
    }),
  );
  const gatewayEnv = {
    JWT_KEYS: JSON.stringify({ keys: [SIGNED_IN] }),
    SECRETS_KEYS,
    ACTIONS_ADDR: actions.address,
    CONFIG_ADDR: config.address,
    ENABLE_RATE_LIMITING: 'false',
    ...env,
  };
  const { url } = await system.startGateway(gatewayEnv);
  const visitor = client(url, null);

  const logIn = async (email: string): Promise<Person> => {
    const { body } = await visitor.post('/auth/login', { email, password: PASSWORD });
    const { user, accessToken, refreshToken } = body as {
      user: { id: string };
      accessToken: string;
      refreshToken: string;
    };
    return { id: user.id, email, token: accessToken, refreshToken, http: client(url, accessToken) };
  };
  const join = async (name: string, role: 'user' | 'viewer' = 'user'): Promise<Person> => {
    const email = `${name}-${randomBytes(4).toString('hex')}@example.com`;
    await visitor.post('/auth/register', { email, password: PASSWORD, role });
    return await logIn(email);
  };
  const joinAsAdmin = async (): Promise<Person> => {
    const email = `admin-${randomBytes(4).toString('hex')}@example.com`;
    await createAdmin(
      { url: world.env.MONGODB_URL ?? '', database: world.database },
      { email, password: PASSWORD },
    );
    return await logIn(email);
  };

  return {
    system,
    url,
    /** Another gateway of the same system. */
    startGateway: (more: Record<string, string> = {}) => system.startGateway({ ...gatewayEnv, ...more }),
    visitor,
    logIn,
    join,
    joinAsAdmin,
    upload: async ({ http }: Person, name = 'lesson.md', text = '# Lesson\n') => {
      const form = new FormData();
      form.set('file', new Blob([text], { type: 'text/markdown' }), name);
      return uploadSchema.parse((await http.send('/uploads', { method: 'POST', body: form })).body);
    },
    /** A token of this person that is not, or no longer, good. */
    badToken: async ({ token }: Person, fault: 'expired' | 'wrong key'): Promise<string> => {
      const key = fault === 'expired' ? SIGNED_IN : { ...newSigningKey(), kid: SIGNED_IN.kid };
      const { signing } = await openSigningKeys(jwtKeys.parse(JSON.stringify({ keys: [key] })));
      const { sub, sid } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
      const expiresAt = Math.floor(Date.now() / 1_000) + (fault === 'expired' ? -60 : 600);
      return await new SignJWT({ sid })
        .setProtectedHeader({ alg: 'EdDSA', kid: SIGNED_IN.kid, typ: 'at+jwt' })
        .setIssuer('esl-pipeline')
        .setAudience('esl-gateway')
        .setSubject(sub)
        .setExpirationTime(expiresAt)
        .sign(signing.key);
    },
  };
};

export type People = Awaited<ReturnType<typeof openPeople>>;
