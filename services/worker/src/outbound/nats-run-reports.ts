import { setTimeout as delay } from 'node:timers/promises';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Bus } from '@esl/kit/bus';
import type { Log } from '@esl/kit/log';
import { publish } from '@esl/kit/publish';
import { CHANNELS } from '@esl-pipeline/contracts/bus';
import type { RunReports } from '../app/needs.ts';
import { artifactToWire, failureToWire, progressToWire, resultToWire, warningToWire } from '../wire.ts';

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

/** Repeats a publish until it is acknowledged. The message id makes a second copy harmless. */
const untilStored = async (send: () => Promise<unknown>, log: Log, signal: AbortSignal): Promise<void> => {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
    signal.throwIfAborted();
    try {
      await send();
      return;
    } catch (error) {
      log.warn({ err: error }, 'a report is not stored yet');
      await delay(waitMs, null, { signal });
    }
  }
};

export const natsRunReports = (bus: Bus, now: () => Date, log: Log): RunReports => {
  const occurredAt = () => timestampFromDate(now());
  return {
    stepped: async (run, sequence, progress) => {
      const eventId = `${run.jobId}:${run.attempt}:step:${sequence}`;
      const message = { ...run, ...progressToWire(progress), eventId, sequence, occurredAt: occurredAt() };
      await publish(bus, CHANNELS.runStepped, run.jobId, message, { msgId: eventId });
    },
    succeeded: (run, result, signal) => {
      const eventId = `${run.jobId}:${run.attempt}:succeeded`;
      const message = { ...run, eventId, occurredAt: occurredAt(), result: resultToWire(result) };
      const send = () => publish(bus, CHANNELS.runSucceeded, run.jobId, message, { msgId: eventId });
      return untilStored(send, log, signal);
    },
    failed: (run, end, signal) => {
      const eventId = `${run.jobId}:${run.attempt}:failed`;
      const message = {
        ...run,
        eventId,
        occurredAt: occurredAt(),
        result: resultToWire(end.result),
        failure: failureToWire(end),
        retryAfterMs: end.error.retryAfterMs,
      };
      const send = () => publish(bus, CHANNELS.runFailed, run.jobId, message, { msgId: eventId });
      return untilStored(send, log, signal);
    },
    cancelled: (run, result, signal) => {
      const eventId = `${run.jobId}:${run.attempt}:cancelled`;
      const message = { ...run, eventId, occurredAt: occurredAt(), result: resultToWire(result) };
      const send = () => publish(bus, CHANNELS.runCancelled, run.jobId, message, { msgId: eventId });
      return untilStored(send, log, signal);
    },
    purged: (jobId, signal) => {
      const eventId = `${jobId}:purged`;
      const message = { eventId, jobId, occurredAt: occurredAt() };
      const send = () => publish(bus, CHANNELS.runPurged, jobId, message, { msgId: eventId });
      return untilStored(send, log, signal);
    },
    refreshed: ({ jobId, version }, { artifacts, warnings }, signal) => {
      const eventId = `${jobId}:${version}:refreshed`;
      const message = {
        eventId,
        jobId,
        version,
        occurredAt: occurredAt(),
        artifacts: artifacts.map(artifactToWire),
        warnings: warnings.map(warningToWire),
      };
      const send = () => publish(bus, CHANNELS.runRefreshed, jobId, message, { msgId: eventId });
      return untilStored(send, log, signal);
    },
  };
};
