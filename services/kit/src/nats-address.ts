/** Where NATS is and who asks, as the client wants them. */
export type NatsAddress = { readonly servers: string[]; readonly user?: string; readonly pass?: string };

const scheme = /^(?:nats|tls):\/\//;

/**
 * Reads `nats://user:password@host:4222`, or a comma list of such. Every other NATS client takes credentials in the
 * address; this one wants them apart, once for all servers, so the first ones named are used.
 */
export const natsAddress = (url: string): NatsAddress => {
  const servers: string[] = [];
  let credentials: Pick<NatsAddress, 'user' | 'pass'> = {};
  for (const one of url.split(',')) {
    const at = one.lastIndexOf('@');
    if (at < 0) {
      servers.push(one);
      continue;
    }
    const prefix = scheme.exec(one)?.[0] ?? '';
    const [user = '', ...password] = one.slice(prefix.length, at).split(':');
    servers.push(prefix + one.slice(at + 1));
    credentials =
      'user' in credentials
        ? credentials
        : { user: decodeURIComponent(user), pass: decodeURIComponent(password.join(':')) };
  }
  return { servers, ...credentials };
};
