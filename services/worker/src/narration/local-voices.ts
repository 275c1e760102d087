import type { Voice } from './voice.ts';

/** The speech models inside flite that speak 16 kHz. */
export type FliteModel = 'slt' | 'rms' | 'awb' | 'kal16';

export type LocalVoice = Voice & {
  readonly model: FliteModel;
  /** Mean pitch in Hz; null keeps the model's own. The model rms ignores it. */
  readonly pitchHz: number | null;
  /** Longer than 1 speaks slower. */
  readonly stretch: number;
};

type Sound = Pick<LocalVoice, 'model' | 'pitchHz' | 'stretch'>;

const voice = (
  id: string,
  name: string,
  labels: Omit<Voice['labels'], 'language'>,
  sound: Sound,
): LocalVoice => ({
  id,
  name,
  category: 'local',
  labels: { ...labels, language: 'en' },
  ...sound,
});

/**
 * The offline narrator's voices: four models, made into eleven by pitch and pace. All accents are those of the
 * people who recorded the models, so there is no British woman; casting then says what it took instead.
 */
export const LOCAL_VOICES: readonly LocalVoice[] = [
  voice(
    'local-awb',
    'Angus',
    {
      gender: 'male',
      accent: 'scottish',
      age: 'middle_aged',
      use_case: 'conversational',
      descriptive: 'warm',
    },
    { model: 'awb', pitchHz: null, stretch: 1 },
  ),
  voice(
    'local-awb-deep',
    'Edmund',
    { gender: 'male', accent: 'british', age: 'middle_aged', use_case: 'narration', descriptive: 'mature' },
    { model: 'awb', pitchHz: 105, stretch: 1.06 },
  ),
  voice(
    'local-awb-light',
    'Rory',
    { gender: 'male', accent: 'british', age: 'young', use_case: 'conversational', descriptive: 'casual' },
    { model: 'awb', pitchHz: 158, stretch: 0.96 },
  ),
  voice(
    'local-kal',
    'Otto',
    { gender: 'male', accent: 'american', age: 'senior', use_case: 'news', descriptive: 'crisp' },
    { model: 'kal16', pitchHz: null, stretch: 1.05 },
  ),
  voice(
    'local-kal-light',
    'Robin',
    { gender: 'neutral', accent: 'american', age: 'young', use_case: 'social_media', descriptive: 'bright' },
    { model: 'kal16', pitchHz: 160, stretch: 1 },
  ),
  voice(
    'local-rms',
    'Walter',
    {
      gender: 'male',
      accent: 'american',
      age: 'middle_aged',
      use_case: 'conversational',
      descriptive: 'calm',
    },
    { model: 'rms', pitchHz: null, stretch: 1 },
  ),
  voice(
    'local-rms-brisk',
    'Dean',
    { gender: 'male', accent: 'american', age: 'young', use_case: 'social_media', descriptive: 'confident' },
    { model: 'rms', pitchHz: null, stretch: 0.86 },
  ),
  voice(
    'local-slt',
    'Clara',
    {
      gender: 'female',
      accent: 'american',
      age: 'young',
      use_case: 'conversational',
      descriptive: 'friendly',
    },
    { model: 'slt', pitchHz: null, stretch: 1 },
  ),
  voice(
    'local-slt-bright',
    'Poppy',
    { gender: 'female', accent: 'american', age: 'young', use_case: 'social_media', descriptive: 'upbeat' },
    { model: 'slt', pitchHz: 215, stretch: 0.95 },
  ),
  voice(
    'local-slt-deep',
    'Ruth',
    {
      gender: 'female',
      accent: 'american',
      age: 'middle_aged',
      use_case: 'informative',
      descriptive: 'calm',
    },
    { model: 'slt', pitchHz: 145, stretch: 1.06 },
  ),
  voice(
    'local-slt-story',
    'Marian',
    { gender: 'female', accent: 'american', age: 'middle_aged', use_case: 'narration', descriptive: 'warm' },
    { model: 'slt', pitchHz: 162, stretch: 1.02 },
  ),
];
