import { z } from 'zod';
import { shortText } from './submit-job.ts';

export const JOB_ACTION_TYPES = ['rerun_audio', 'cancel', 'edit_metadata'] as const;
export type JobActionType = (typeof JOB_ACTION_TYPES)[number];

export const rerunAudioSchema = z
  .object({
    voiceId: shortText.optional(),
    voiceAccent: shortText.optional(),
    forceTts: z.boolean().optional(),
  })
  .meta({ id: 'RerunAudio' });

export const cancelSchema = z
  .object({ reason: z.string().max(500, 'must be at most 500 characters').optional() })
  .meta({ id: 'Cancel' });

export const editMetadataSchema = z
  .object({ preset: shortText.optional(), notionDatabase: shortText.optional() })
  .meta({ id: 'EditMetadata' });

/** Body of `POST /jobs/:jobId/actions`. The payload is checked against the action's own schema. */
export const jobActionRequestSchema = z
  .object({
    type: z.enum(JOB_ACTION_TYPES),
    payload: z.union([rerunAudioSchema, cancelSchema, editMetadataSchema]).optional(),
  })
  .meta({ id: 'JobActionRequest' });
export type JobActionRequest =
  | { readonly type: 'rerun_audio'; readonly payload?: z.infer<typeof rerunAudioSchema> }
  | { readonly type: 'cancel'; readonly payload?: z.infer<typeof cancelSchema> }
  | { readonly type: 'edit_metadata'; readonly payload?: z.infer<typeof editMetadataSchema> };

export const jobActionResponseSchema = z
  .object({
    success: z.literal(true),
    message: z.string(),
    jobId: z.uuid(),
    actionType: z.enum(JOB_ACTION_TYPES),
    timestamp: z.iso.datetime({ precision: 3 }),
    newJobId: z.uuid().nullable().describe('The job this action made'),
  })
  .meta({ id: 'JobActionResponse' });
export type JobActionResponse = z.infer<typeof jobActionResponseSchema>;

export const actionCapabilitySchema = z
  .object({
    type: z.enum(JOB_ACTION_TYPES),
    label: z.string(),
    description: z.string(),
    requiresFields: z.array(z.string()),
    implemented: z.boolean(),
  })
  .meta({ id: 'ActionCapability' });
export type ActionCapability = z.infer<typeof actionCapabilitySchema>;

/** The stable code of a bad field in an action's payload. A payload that is no object is `invalid_payload`. */
export const ACTION_PAYLOAD_CODES = {
  voiceId: 'invalid_voice_id',
  voiceAccent: 'invalid_voice_accent',
  forceTts: 'invalid_force_tts',
  reason: 'invalid_reason',
  preset: 'invalid_preset',
  notionDatabase: 'invalid_notion_database',
} as const;
