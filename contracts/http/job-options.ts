import { z } from 'zod';
import { actionCapabilitySchema } from './job-actions.ts';
import { MODES, UPLOAD_OPTIONS } from './submit-job.ts';

/** Answer of `GET /config/job-options`: what a submission form may offer. */
export const jobOptionsSchema = z
  .object({
    presets: z.array(z.string()),
    voiceAccents: z.array(z.string()),
    voices: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        category: z.string().nullable(),
        accent: z.string().nullable(),
        gender: z.string().nullable(),
      }),
    ),
    notionDatabases: z.array(z.object({ id: z.string(), name: z.string() })),
    uploadOptions: z.array(z.enum(UPLOAD_OPTIONS)),
    modes: z.array(z.enum(MODES)),
    supportedActions: z.array(actionCapabilitySchema),
    stale: z.boolean().describe('True while the source cannot be read and this is the last good state'),
  })
  .meta({ id: 'JobOptions' });
export type JobOptions = z.infer<typeof jobOptionsSchema>;
