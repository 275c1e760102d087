import { type GrpcClient, Refused } from '@esl/kit/grpc-client';
import { accept, refuse } from '@esl/kit/outcome';
import type { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import type { Catalog } from '../app/needs.ts';
import { isUnreachable } from './jobs-client.ts';

export const configClient = ({ call }: Pick<GrpcClient<typeof ConfigService>, 'call'>): Catalog => ({
  check: async (ownerId, { preset, notionDatabase }, signal) => {
    try {
      await call.resolveSettings(
        { ownerId, ...(preset !== null && { preset }), ...(notionDatabase !== null && { notionDatabase }) },
        signal,
      );
      return accept(null);
    } catch (error) {
      // Config may itself wait for what its owners have set.
      const isWaiting = error instanceof Refused && error.refusal.code === 'unavailable';
      if (isWaiting || isUnreachable(error))
        return refuse('unavailable', 'Presets and databases cannot be checked now.');
      if (!(error instanceof Refused)) throw error;
      const { code, message, details } = error.refusal;
      if (code === 'unknown_preset' || code === 'unknown_notion_database')
        return refuse(code, message, details);
      throw error;
    }
  },
});
