import { JobsService } from '@esl-pipeline/contracts/esl/jobs/v1/jobs_service';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallFailed, connectGrpc, type GrpcClient, Refused } from '../src/grpc-client.ts';
import { type GrpcServer, serve, startGrpcServer } from '../src/grpc-server.ts';
import { createLog } from '../src/log.ts';
import { accept, refuse } from '../src/outcome.ts';
import { currentContext, withContext } from '../src/request-context.ts';

const log = createLog('test', 'silent');
const unused = () => Promise.resolve(refuse('unused', ''));
let hungUp = false;

const service = serve(
  JobsService,
  {
    createJobs: unused,
    claimRun: unused,
    renewRuns: unused,
    releaseRun: unused,
    editMetadata: unused,
    rescheduleJob: unused,
    retryJob: unused,
    getTimeline: unused,
    listJobs: unused,
    getJob: async ({ jobId }) =>
      jobId === 'there'
        ? accept({ job: { id: `${jobId} ${currentContext().requestId}` } })
        : refuse('job_not_found', 'Kein solcher Auftrag – nichts da.', { jobId }),
    getStats: () => Promise.reject(new Error('secret database text')),
    cancelJob: (_, { signal }) =>
      new Promise(() => signal.addEventListener('abort', () => (hungUp = true), { once: true })),
  },
  { job_not_found: grpc.status.NOT_FOUND },
);

let server: GrpcServer;
let client: GrpcClient<typeof JobsService>;
beforeAll(async () => {
  server = await startGrpcServer({ host: '127.0.0.1', port: 0 }, [service], log);
  client = connectGrpc(JobsService, { address: server.address, deadlineMs: 2_000 });
});
afterAll(async () => {
  client.close();
  await server.close(AbortSignal.timeout(1_000));
});

describe('gRPC by descriptor', () => {
  it('answers, and carries the request’s ids along', async () => {
    const answer = await withContext({ requestId: 'r-7' }, () => client.call.getJob({ jobId: 'there' }));
    expect(answer.job?.id).toBe('there r-7');
  });

  it('hands a refusal over with its code, message and details', async () => {
    const call = client.call.getJob({ jobId: 'gone' });
    await expect(call).rejects.toBeInstanceOf(Refused);
    await expect(call).rejects.toMatchObject({
      status: grpc.status.NOT_FOUND,
      refusal: {
        code: 'job_not_found',
        message: 'Kein solcher Auftrag – nichts da.',
        details: { jobId: 'gone' },
      },
    });
  });

  it('shows nothing of a fault', async () => {
    const call = client.call.getStats({});
    await expect(call).rejects.toMatchObject({ name: 'CallFailed', status: grpc.status.INTERNAL });
    await expect(call).rejects.not.toThrow(/secret/);
  });

  it('ends a call when its signal fires, on both sides', async () => {
    const stop = new AbortController();
    const call = client.call.cancelJob({}, stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(call).rejects.toThrow('enough');
    await expect.poll(() => hungUp).toBe(true);
  });

  it('ends a call that takes too long', async () => {
    const impatient = connectGrpc(JobsService, { address: server.address, deadlineMs: 200 });
    await expect(impatient.call.cancelJob({})).rejects.toMatchObject({
      status: grpc.status.DEADLINE_EXCEEDED,
    });
    impatient.close();
  });

  it('fails within the deadline when nobody is there', async () => {
    const lonely = connectGrpc(JobsService, { address: '127.0.0.1:1', deadlineMs: 300 });
    await expect(lonely.call.getStats({})).rejects.toBeInstanceOf(CallFailed);
    lonely.close();
  });

  it('serves health and reflection', async () => {
    const health = new grpc.Client(server.address, grpc.credentials.createInsecure());
    const status = await new Promise<Buffer | undefined>((resolve, reject) =>
      health.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (b: Buffer) => b,
        (b) => b,
        Buffer.alloc(0),
        (error, reply) => (error ? reject(error) : resolve(reply)),
      ),
    );
    expect([...(status ?? [])]).toEqual([0x08, 0x01]);
    const reflected = await new Promise<string>((resolve, reject) => {
      const call = health.makeBidiStreamRequest(
        '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
        (b: Buffer) => b,
        (b) => b,
      );
      call.on('data', (reply: Buffer) => resolve(reply.toString('latin1')));
      call.on('error', reject);
      call.write(Buffer.from([0x3a, 0x01, 0x2a]));
    });
    expect(reflected).toContain('esl.jobs.v1.JobsService');
    health.close();
  });
});
