import { createHash } from 'node:crypto';
import type { GrpcClient } from '@esl/kit/grpc-client';
import {
  type ActionCapability,
  type JobOptions,
  jobOptionsSchema,
  MODES,
  UPLOAD_OPTIONS,
} from '@esl-pipeline/contracts';
import type { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import type { ConfigService } from '@esl-pipeline/contracts/esl/config/v1/config_service';
import { isFresh } from '../conditional.ts';
import type { Handler, Route } from '../route.ts';

export const optionRoutes = ({
  config,
  actions,
}: {
  readonly config: GrpcClient<typeof ConfigService>['call'];
  readonly actions: GrpcClient<typeof ActionsService>['call'];
}): Route[] => {
  const read = async (ownerId: string, signal: AbortSignal): Promise<JobOptions> => {
    const [offered, { capabilities }] = await Promise.all([
      config.getJobOptions({ ownerId }, signal),
      actions.listCapabilities({}, signal),
    ]);
    return {
      presets: offered.presets,
      voiceAccents: offered.voiceAccents,
      voices: offered.voices.map(({ id, name, category, accent, gender }) => ({
        id,
        name,
        category: category ?? null,
        accent: accent ?? null,
        gender: gender ?? null,
      })),
      notionDatabases: offered.notionDatabases.map(({ id, name }) => ({ id, name })),
      uploadOptions: UPLOAD_OPTIONS.filter((option) => offered.uploadOptions.includes(option)),
      modes: MODES.filter((mode) => offered.modes.includes(mode)),
      supportedActions: capabilities.map(({ type, label, description, requiresFields, implemented }) => ({
        type: type as ActionCapability['type'],
        label,
        description,
        requiresFields,
        implemented,
      })),
      stale: offered.stale,
    };
  };

  const get: Handler = async ({ principal, request, signal }) => {
    const body = await read(principal.ownerId, signal);
    const etag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url')}"`;
    const headers = { etag, 'cache-control': 'private, max-age=60' };
    return isFresh(request.headers['if-none-match'], etag)
      ? { status: 304, body: null, headers }
      : { status: 200, body, headers };
  };

  return [
    {
      method: 'get',
      path: '/config/job-options',
      reach: 'extended',
      access: 'viewer',
      tag: 'Options',
      name: 'getJobOptions',
      summary: 'What a submission form may offer',
      answers: {
        200: { description: 'The options.', schema: jobOptionsSchema },
        304: { description: 'They are what If-None-Match names.' },
      },
      errors: [],
      handle: get,
    },
  ];
};
