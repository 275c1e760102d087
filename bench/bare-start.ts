import { createServer } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { connect } from '@nats-io/transport-node';
import { MongoClient } from 'mongodb';

/** The least a process can do that opens the connections a service opens, and answers a probe. */
const { NATS_URL, MONGODB_URL, GRPC_TARGETS = '', ADMIN_PORT } = process.env;
const waiting: Promise<unknown>[] = [];
if (NATS_URL) waiting.push(connect({ servers: NATS_URL }));
if (MONGODB_URL) waiting.push(new MongoClient(MONGODB_URL).connect());
for (const address of GRPC_TARGETS.split(',').filter(Boolean)) {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  waiting.push(
    new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
    ),
  );
}
await Promise.all(waiting);
createServer((_, response) => response.end('ok')).listen(Number(ADMIN_PORT), '127.0.0.1');
process.stdin.resume().once('end', () => process.exit(0));
