import type { AddressInfo } from 'node:net';
import express from 'express';
import { MongoClient } from 'mongodb';

/** The least a service can do: one route, one read of MongoDB, its document as JSON. */
const [url = '', database = ''] = process.argv.slice(2);
const mongo = new MongoClient(url, { readConcern: { level: 'majority' } });
await mongo.connect();
const db = mongo.db(database);

const app = express();
for (const [path, collection] of [
  ['/jobs/:id', 'jobs'],
  ['/me/:id', 'users'],
] as const) {
  app.get(path, async (request, response) => {
    response.json(
      await db.collection<{ _id: string }>(collection).findOne({ _id: String(request.params.id) }),
    );
  });
}
const server = app.listen(0, '127.0.0.1', () =>
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
