import { z } from 'zod';
import { hashOf } from '../checkpoint.ts';
import { castWarning, planNarration } from '../plan-narration.ts';
import { type Audio, need, type StepSpec } from '../run.ts';
import { final } from '../run-error.ts';

const audioSchema: z.ZodType<Audio> = z.object({
  key: z.string(),
  contentType: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  durationMs: z.number(),
  mode: z.enum(['dialogue', 'monologue']),
  segments: z.number(),
  voices: z.array(
    z.object({
      speaker: z.string(),
      voiceId: z.string(),
      voiceName: z.string(),
      gender: z.string().nullable(),
      accent: z.string().nullable(),
      useCase: z.string().nullable(),
      source: z.enum(['profile', 'voiceMap', 'default', 'auto', 'fallback', 'reuse']),
      score: z.number().nullable(),
    }),
  ),
});

const MP3 = 'audio/mpeg';

const audioKey = (sha256: string) => `audio/${sha256.slice(0, 2)}/${sha256}.mp3`;

/** Minutes and seconds, as in 1:05. */
const clock = (ms: number) => {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

/** Speaks the study text and keeps the MP3 under its content's hash. */
export const narrate: StepSpec<'tts'>['run'] = async (run, { signal, onProgress }) => {
  const { job, ports, checkpoint } = run;
  const { lesson, settings } = need(run, 'validate');
  const { mode, segments, casting } = planNarration(lesson, job.spec, settings, ports.narrator);
  if (!casting.ok) throw final(casting.refusal.code, casting.refusal.message);
  const { cast, warnings } = casting.value;
  if (ports.narratorNotice) run.warn(ports.narratorNotice);
  for (const warning of warnings) run.warn(castWarning(warning));

  const inputHash = hashOf({
    engine: ports.narrator.engine,
    mode,
    segments: segments.map(({ speaker, text }) => [speaker, text]),
    cast: cast.map(({ speaker, voiceId }) => [speaker, voiceId]),
    level: lesson.meta.level,
    title: lesson.meta.title,
    forcedBy: job.spec.forceTts ? job.id : null,
  });
  const kept = checkpoint.kept('tts', inputHash, audioSchema);
  if (kept && (await ports.blobs.head(kept.key, signal)))
    return { output: kept, detail: `narrated before, ${clock(kept.durationMs)} long`, inputHash };

  ports.checkLease();
  const narration = await ports.narrator.narrate(
    {
      segments,
      cast,
      level: lesson.meta.level,
      title: lesson.meta.title,
      force: job.spec.forceTts,
    },
    { signal, onProgress },
  );
  const output: Audio = {
    key: audioKey(narration.sha256),
    contentType: MP3,
    bytes: narration.mp3.byteLength,
    sha256: narration.sha256,
    durationMs: narration.durationMs,
    mode,
    segments: segments.length,
    voices: cast,
  };
  ports.checkLease();
  await ports.blobs.put(output.key, narration.mp3, { contentType: MP3 }, signal);
  const { synthesized, cached, durationMs } = narration;
  return {
    output,
    detail: `${synthesized} spoken, ${cached} from the cache, ${clock(durationMs)} long`,
    inputHash,
  };
};
