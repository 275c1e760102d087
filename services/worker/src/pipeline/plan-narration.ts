import type { Outcome } from '@esl/kit/outcome';
import type { Lesson } from '../lesson/lesson.ts';
import { type Casting, type CastingMode, type CastWarning, castVoices } from '../narration/casting.ts';
import type { Narrator } from '../narration/narrator.ts';
import { type Segment, speakersOf, toSegments } from '../narration/segments.ts';
import type { JobSpec, Warning } from './run.ts';
import type { Settings } from './settings.ts';

export type NarrationPlan = {
  readonly mode: CastingMode;
  readonly segments: readonly Segment[];
  readonly casting: Outcome<Casting, 'no_voices'>;
};

/** What a narration of this lesson would say, and with which voices. */
export const planNarration = async (
  lesson: Lesson,
  spec: Pick<JobSpec, 'voiceId'>,
  settings: Settings,
  narrator: Pick<Narrator, 'voices' | 'acceptsRawVoiceIds'>,
  signal: AbortSignal,
): Promise<NarrationPlan> => {
  const { meta, studyText } = lesson;
  const names = { labels: meta.speakerLabels, profileIds: meta.speakerProfiles.map(({ id }) => id) };
  const segments = toSegments(studyText.turns, names);
  const wanted = settings.mode;
  const mode = wanted === 'dialogue' || wanted === 'monologue' ? wanted : studyText.kind;
  const casting = castVoices({
    speakers: speakersOf(segments, names),
    profiles: meta.speakerProfiles,
    mode,
    voiceMap: settings.voiceMap,
    ...(spec.voiceId && { voiceId: spec.voiceId }),
    ...(settings.voiceAccent && { accentPreference: settings.voiceAccent }),
    catalogue: await narrator.voices(signal),
    acceptsRawVoiceIds: narrator.acceptsRawVoiceIds,
  });
  return { mode, segments, casting };
};

export const charactersIn = (segments: readonly Segment[]): number =>
  segments.reduce((total, { text }) => total + Array.from(text).length, 0);

/** What casting had to give up, in words for the teacher. */
export const castWarning = (warning: CastWarning): Warning => {
  const { code, speaker } = warning;
  switch (warning.code) {
    case 'accent_unmet':
    case 'gender_unmet': {
      const got = warning.got ? `a voice that is ${warning.got}` : 'another voice';
      return { code, message: `No ${warning.wanted} voice was left for ${speaker}, who has ${got}.` };
    }
    case 'voice_unknown':
      return {
        code,
        message: `The voice “${warning.voice}” for ${speaker} is not known; another was chosen.`,
      };
    case 'voice_taken':
      return {
        code,
        message: `The voice “${warning.voice}” for ${speaker} already speaks for someone else.`,
      };
    case 'voice_shared':
      return { code, message: `There are more speakers than voices: ${speaker} shares one.` };
  }
};
