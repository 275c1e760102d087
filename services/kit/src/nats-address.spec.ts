import { describe, expect, it } from 'vitest';
import { natsAddress } from './nats-address.ts';

describe('the address of NATS', () => {
  it('is a list of servers', () => {
    expect(natsAddress('nats://a:4222,b:4222')).toEqual({ servers: ['nats://a:4222', 'b:4222'] });
  });

  it('may carry a user and a password, which no server address keeps', () => {
    expect(natsAddress('nats://jobs:p%40ss:word@a:4222,nats://jobs:other@b')).toEqual({
      servers: ['nats://a:4222', 'nats://b'],
      user: 'jobs',
      pass: 'p@ss:word',
    });
  });
});
