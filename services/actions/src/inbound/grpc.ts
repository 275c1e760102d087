import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type ServedService, serve } from '@esl/kit/grpc-server';
import { accept } from '@esl/kit/outcome';
import { ActionsService } from '@esl-pipeline/contracts/esl/actions/v1/actions_service';
import { status } from '@grpc/grpc-js';
import { v7 } from 'uuid';
import type { executeAction } from '../app/execute-action.ts';
import type { Aim } from '../app/needs.ts';
import type { Action, ActionRefusal } from '../domain/action.ts';

const STATUSES = {
  invalid_action_type: status.INVALID_ARGUMENT,
  invalid_payload: status.INVALID_ARGUMENT,
  empty_edit: status.INVALID_ARGUMENT,
  invalid_voice_id: status.INVALID_ARGUMENT,
  invalid_voice_accent: status.INVALID_ARGUMENT,
  invalid_force_tts: status.INVALID_ARGUMENT,
  invalid_reason: status.INVALID_ARGUMENT,
  invalid_preset: status.INVALID_ARGUMENT,
  invalid_notion_database: status.INVALID_ARGUMENT,
  unknown_preset: status.INVALID_ARGUMENT,
  unknown_notion_database: status.INVALID_ARGUMENT,
  scope_required: status.INVALID_ARGUMENT,
  job_not_found: status.NOT_FOUND,
  invalid_state: status.FAILED_PRECONDITION,
  // Not UNAVAILABLE: callers repeat that by themselves, and each try waits for the deadline here again.
  unavailable: status.DEADLINE_EXCEEDED,
} as const satisfies Record<ActionRefusal, status>;

export const actionsGrpc = (
  actions: readonly Action<Aim>[],
  execute: ReturnType<typeof executeAction>,
): ServedService =>
  serve(
    ActionsService,
    {
      listCapabilities: async () =>
        accept({
          capabilities: actions.map(({ type, label, description, requiresFields }) => ({
            type,
            label,
            description,
            requiresFields: [...requiresFields],
            implemented: true,
          })),
        }),
      execute: async ({ scope, actorId, jobId, type, payload = {}, newJobId: chosenId }, { signal }) => {
        const request = { scope, actorId, jobId, type, payload, newJobId: chosenId || v7() };
        const outcome = await execute(request, signal);
        if (!outcome.ok) return outcome;
        const { message, newJobId, at } = outcome.value;
        return accept({
          message,
          at: timestampFromDate(at),
          ...(newJobId !== undefined && { newJobId }),
        });
      },
    },
    STATUSES,
  );
