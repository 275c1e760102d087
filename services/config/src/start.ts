import { startGrpcServer } from '@esl/kit/grpc-server';
import { openMongo } from '@esl/kit/mongo';
import type { Boot, Running } from '@esl/kit/service';
import { followSource, openCatalog } from './app/live-catalog.ts';
import { joinSources } from './app/needs.ts';
import { ownerSettings } from './app/owner-settings.ts';
import { followVoices } from './app/sync-voices.ts';
import type { Config } from './config.ts';
import { configGrpc } from './inbound/grpc.ts';
import { ownerSettingsGrpc } from './inbound/owner-settings-grpc.ts';
import { announceChanges } from './outbound/announcer.ts';
import { elevenLabsVoices } from './outbound/elevenlabs-voices.ts';
import { folderSource, voicesSource } from './outbound/folder-source.ts';
import { mongoOwnerSettings } from './outbound/mongo-owner-settings.ts';
import { mongoVoices } from './outbound/mongo-voices.ts';
import { remoteSource } from './outbound/remote-source.ts';

/** How long the database may take, in ms: less than any caller's deadline. */
const DATABASE_WITHIN_MS = 2_000;

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
    findServerMs: DATABASE_WITHIN_MS,
  });
  const { voiceSync, narrator, notion, defaultMode } = config;
  const syncedVoices =
    voiceSync && mongoVoices(mongo.db, { apiKey: voiceSync.apiKey, withinMs: DATABASE_WITHIN_MS });
  const source = joinSources(
    config.remote ? remoteSource(config.remote) : folderSource(config.folder, log),
    voicesSource('localVoices', [config.localVoicesPath], log),
    voicesSource('voices', config.voicesPaths, log),
    // Later sources win: what the account has is what can be used.
    ...(syncedVoices ? [syncedVoices.source] : []),
  );
  const catalog = await openCatalog(source, { notion, narrator, now, log }, stopping.signal);
  const announcer = announceChanges(catalog, config.NATS_URL, { now, log });
  followSource(catalog, source, { pollMs: config.pollMs, log }, stopping.signal);
  if (voiceSync && syncedVoices) {
    const changed = () => catalog.refresh(stopping.signal);
    const needs = { list: elevenLabsVoices(voiceSync), store: syncedVoices, changed, now, log };
    followVoices(needs, voiceSync.everyMs, stopping.signal);
  }

  const owners = ownerSettings({
    store: mongoOwnerSettings(mongo.db, { now, withinMs: DATABASE_WITHIN_MS }),
    changed: announcer.say,
  });
  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [
      configGrpc({ current: catalog.current, narrator, notion, defaultMode, owners }),
      ownerSettingsGrpc(owners),
    ],
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
