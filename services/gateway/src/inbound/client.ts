import { isIPv6 } from 'node:net';
import type { Request } from 'express';
import type { Client } from '../accounts/account.ts';

const MAX_USER_AGENT = 256;

/** The 64 bits of an IPv6 address that one customer usually has to itself. */
const network = (address: string): string => {
  const [head = '', tail] = address.split('::');
  const front = head.split(':').filter((group) => group !== '');
  const back = (tail ?? '').split(':').filter((group) => group !== '');
  const groups = [...front, ...Array(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
};

/** Who is at the other end, as trusted proxies tell (TRUST_PROXY). IPv6 counts by network. */
export const clientOf = (request: Request): Client => {
  const address = (request.ip ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return {
    address: isIPv6(address) ? network(address) : address,
    userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
  };
};
