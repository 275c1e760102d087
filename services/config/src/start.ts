import { startGrpcServer } from '@esl/kit/grpc-server';
import { openMongo } from '@esl/kit/mongo';
import type { Boot, Running } from '@esl/kit/service';
import { followSource, openCatalog } from './app/live-catalog.ts';
import { joinSources } from './app/needs.ts';
import { ownerSettings } from './app/owner-settings.ts';
import type { Config } from './config.ts';
import { configGrpc } from './inbound/grpc.ts';
import { ownerSettingsGrpc } from './inbound/owner-settings-grpc.ts';
import { announceChanges } from './outbound/announcer.ts';
import { folderSource, voicesSource } from './outbound/folder-source.ts';
import { mongoOwnerSettings } from './outbound/mongo-owner-settings.ts';
import { remoteSource } from './outbound/remote-source.ts';

/** How long settings of owners may take, in ms: less than any caller's deadline. */
const OWNERS_WITHIN_MS = 2_000;

/** Wires the whole service; `address` is where it serves gRPC. */
export const startConfig = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const now = () => new Date();
  const stopping = new AbortController();
  const mongo = openMongo({
    url: config.MONGODB_URL,
    database: config.MONGODB_DB,
    appName: 'config',
    findServerMs: OWNERS_WITHIN_MS,
  });
  const source = joinSources(
    config.remote ? remoteSource(config.remote) : folderSource(config.folder, log),
    voicesSource(config.voicesPaths, log),
  );
  const catalog = await openCatalog(source, { notion: config.notion, now, log }, stopping.signal);
  const announcer = announceChanges(catalog, config.NATS_URL, { now, log });
  followSource(catalog, source, { pollMs: config.pollMs, log }, stopping.signal);

  const owners = ownerSettings({
    store: mongoOwnerSettings(mongo.db, { now, withinMs: OWNERS_WITHIN_MS }),
    changed: announcer.say,
  });
  const { notion, defaultMode } = config;
  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [configGrpc({ current: catalog.current, notion, defaultMode, owners }), ownerSettingsGrpc(owners)],
    log,
  );
  return {
    address: grpc.address,
    // A catalog is always there, if only the fallback, and announcements may be lost: nothing to wait for. While the
    // database is away only owners' settings are, and their callers are told.
    ready: {},
    stop: [
      { name: 'calls', withinMs: 2_000, run: grpc.close },
      { name: 'source', withinMs: 100, run: () => stopping.abort() },
      { name: 'nats', withinMs: 1_000, run: announcer.stop },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
