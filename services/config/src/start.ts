import { startGrpcServer } from '@esl/kit/grpc-server';
import type { Boot, Running } from '@esl/kit/service';
import { followSource, openCatalog } from './app/live-catalog.ts';
import { joinSources } from './app/needs.ts';
import type { Config } from './config.ts';
import { configGrpc } from './inbound/grpc.ts';
import { announceChanges } from './outbound/announcer.ts';
import { folderSource, voicesSource } from './outbound/folder-source.ts';
import { remoteSource } from './outbound/remote-source.ts';

/** Wires the whole service; `address` is where it serves gRPC. */
export const startConfig = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const now = () => new Date();
  const stopping = new AbortController();
  const source = joinSources(
    config.remote ? remoteSource(config.remote) : folderSource(config.folder, log),
    voicesSource(config.voicesPaths, log),
  );
  const catalog = await openCatalog(source, { notion: config.notion, now, log }, stopping.signal);
  const announcer = announceChanges(catalog, config.NATS_URL, { now, log });
  followSource(catalog, source, { pollMs: config.pollMs, log }, stopping.signal);

  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [configGrpc(catalog.current, config.notion)],
    log,
  );
  return {
    address: grpc.address,
    // A catalog is always there, if only the fallback, and announcements may be lost: nothing to wait for.
    ready: {},
    stop: [
      { name: 'calls', withinMs: 2_000, run: grpc.close },
      { name: 'source', withinMs: 100, run: () => stopping.abort() },
      { name: 'nats', withinMs: 1_000, run: announcer.stop },
    ],
  };
};
