import { connectGrpc } from '@esl/kit/grpc-client';
import { startGrpcServer } from '@esl/kit/grpc-server';
import { connectMongo } from '@esl/kit/mongo';
import type { Boot, Running } from '@esl/kit/service';
import { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import { allActions } from './app/actions.ts';
import { executeAction } from './app/execute-action.ts';
import type { Config } from './config.ts';
import { actionsGrpc } from './inbound/grpc.ts';
import { configClient } from './outbound/config-client.ts';
import { jobsClient } from './outbound/jobs-client.ts';
import { openActionLog } from './outbound/mongo-action-log.ts';

/** An action is at most three calls; its caller waits for all of them. In ms. */
const CALL_MS = 3_000;

/** Wires the whole service; `address` is where it serves gRPC. */
export const startActions = async ({
  config,
  log,
}: Boot<Config>): Promise<Running & { readonly address: string }> => {
  const mongo = await connectMongo({
    url: config.MONGODB_URL,
    database: config.MONGODB_DB,
    appName: 'actions',
  });
  const actionLog = await openActionLog(mongo.db, log);
  const jobsService = connectGrpc(JobsService, { address: config.JOBS_ADDR, deadlineMs: CALL_MS });
  const configService = connectGrpc(ConfigService, { address: config.CONFIG_ADDR, deadlineMs: CALL_MS });

  const jobs = jobsClient(jobsService);
  const actions = allActions({ jobs, catalog: configClient(configService) });
  const execute = executeAction({ actions, jobs, log: actionLog, clock: () => new Date() });
  const grpc = await startGrpcServer(
    { host: config.BIND_HOST, port: config.GRPC_PORT },
    [actionsGrpc(actions, execute)],
    log,
  );
  return {
    address: grpc.address,
    // Without config only edits are refused, for now.
    ready: { mongodb: mongo.ping, jobs: jobsService.ping },
    stop: [
      { name: 'calls', withinMs: 5_000, run: grpc.close },
      {
        name: 'clients',
        withinMs: 100,
        run: () => {
          jobsService.close();
          configService.close();
        },
      },
      { name: 'mongodb', withinMs: 500, run: mongo.close },
    ],
  };
};
