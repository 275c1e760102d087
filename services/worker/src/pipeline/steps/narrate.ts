import { type BlobStore, sha256 } from '@esl/kit/blob-store';
import { z } from 'zod';
import { TRANSCRIPT_TYPE, transcriptOf } from '../../narration/transcript.ts';
import { hashOf } from '../checkpoint.ts';
import { castWarning, charactersIn, planNarration } from '../plan-narration.ts';
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
  engine: z.string(),
  characters: z.number(),
  bill: z.object({ jobId: z.string(), characters: z.number() }),
  transcript: z.object({ key: z.string(), bytes: z.number(), sha256: z.string() }),
});

const MP3 = 'audio/mpeg';
const keyOf = (folder: string, sha256: string, extension: string) =>
  `${folder}/${sha256.slice(0, 2)}/${sha256}.${extension}`;

/** Minutes and seconds, as in 1:05. */
const clock = (ms: number) => {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
};

/** Speaks the study text, and keeps MP3 and transcript under the hashes of their content. */
export const narrate: StepSpec<'tts'>['run'] = async (run, { signal, onProgress }) => {
  const { job, ports, checkpoint } = run;
  const { lesson, settings } = need(run, 'validate');
  const { level, title } = lesson.meta;
  const choice = await ports.narratorFor({ ownerId: job.ownerId, ttsProvider: settings.ttsProvider }, signal);
  const { narrator, notice } = choice;
  if (notice) run.warn(notice);
  const { mode, segments, casting } = await planNarration(lesson, job.spec, settings, narrator, signal);
  if (!casting.ok) throw final(casting.refusal.code, casting.refusal.message);
  const { cast, warnings } = casting.value;
  for (const warning of warnings) run.warn(castWarning(warning));
  const { engine } = narrator;
  const characters = charactersIn(segments);
  const tell = (billedCharacters: number, durationMs: number) =>
    run.narrating({ engine, mode, characters, billedCharacters, durationMs, cast });

  const inputHash = hashOf({
    engine,
    settings: narrator.settings,
    mode,
    segments: segments.map(({ speaker, text }) => [speaker, text]),
    cast: cast.map(({ speaker, voiceId }) => [speaker, voiceId]),
    level,
    title,
    forcedBy: job.spec.forceTts ? job.id : null,
  });
  const kept = checkpoint.kept('tts', inputHash, audioSchema);
  if (kept && (await isStored(ports.blobs, kept, signal))) {
    tell(kept.bill.jobId === job.id ? kept.bill.characters : 0, kept.durationMs);
    return { output: kept, detail: `narrated before, ${clock(kept.durationMs)} long`, inputHash };
  }

  ports.checkLease();
  tell(0, 0);
  const request = { jobId: job.id, segments, cast, mode, level, title, force: job.spec.forceTts };
  const narration = await narrator.narrate(request, {
    signal,
    onProgress,
    onBilled: (billed) => tell(billed, 0),
  });
  const { durationMs, billedCharacters, synthesized, cached } = narration;
  tell(billedCharacters, durationMs);
  const transcript = Buffer.from(transcriptOf(narration));
  const transcriptHash = sha256(transcript);
  const output: Audio = {
    key: keyOf('audio', narration.sha256, 'mp3'),
    contentType: MP3,
    bytes: narration.mp3.byteLength,
    sha256: narration.sha256,
    durationMs,
    mode,
    segments: segments.length,
    voices: cast,
    engine,
    characters,
    bill: { jobId: job.id, characters: billedCharacters },
    transcript: {
      key: keyOf('transcripts', transcriptHash, 'vtt'),
      bytes: transcript.byteLength,
      sha256: transcriptHash,
    },
  };
  ports.checkLease();
  await ports.blobs.put(output.key, narration.mp3, { contentType: MP3, title: lesson.meta.title }, signal);
  await ports.blobs.put(output.transcript.key, transcript, { contentType: TRANSCRIPT_TYPE }, signal);
  return {
    output,
    detail: `${synthesized} spoken, ${cached} from the cache, ${clock(durationMs)} long`,
    inputHash,
  };
};

const isStored = async (blobs: BlobStore, audio: Audio, signal: AbortSignal): Promise<boolean> =>
  (await blobs.head(audio.key, signal)) !== null && (await blobs.head(audio.transcript.key, signal)) !== null;
