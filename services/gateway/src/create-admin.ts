import { connectMongo } from '@esl/kit/mongo';
import { emailSchema, weaknesses } from '@esl-pipeline/contracts';
import { v7 as uuidv7 } from 'uuid';
import { openPasswords } from './accounts/passwords.ts';
import { mongoUserStore } from './outbound/mongo-accounts.ts';

/** What is wrong with a wish for an admin, in words for whoever typed it. */
export class CannotCreateAdmin extends Error {
  override name = 'CannotCreateAdmin';
}

/** Makes an administrator, who may then make others over HTTP. Nobody becomes one by registering. */
export const createAdmin = async (
  database: { readonly url: string; readonly database: string },
  wish: { readonly email: string; readonly password: string },
): Promise<string> => {
  const email = emailSchema.safeParse(wish.email);
  if (!email.success) throw new CannotCreateAdmin(`${wish.email} is no email address`);
  const missing = weaknesses(wish.password);
  if (missing.length > 0)
    throw new CannotCreateAdmin(`the password is too weak: it lacks ${missing.join(', ')}`);
  const mongo = await connectMongo({ ...database, appName: 'admin' });
  try {
    const clock = () => new Date();
    const now = clock();
    const users = await mongoUserStore(mongo.db, clock);
    const added = await users.add({
      id: uuidv7(),
      email: email.data,
      passwordHash: await (await openPasswords()).hash(wish.password),
      role: 'admin',
      isActive: true,
      createdAt: now,
      updatedAt: now,
      lastLoginAt: null,
    });
    if (added === 'email_taken')
      throw new CannotCreateAdmin(
        `there is an account of ${email.data} already; an admin can change its role`,
      );
    return email.data;
  } finally {
    await mongo.close();
  }
};
