import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CastingRequest, castVoices } from './casting.ts';
import { LOCAL_VOICES } from './local-voices.ts';
import type { Voice } from './voice.ts';

const voice = (id: string, name: string, gender: string, accent: string, use_case = 'other'): Voice => ({
  id,
  name,
  category: 'premade',
  labels: { gender, accent, use_case },
});

const WREN = voice('v1', 'Wren', 'female', 'british', 'conversational');
const CATALOGUE = [
  WREN,
  voice('v2', 'Otis', 'male', 'american', 'conversational'),
  voice('v3', 'Ada', 'female', 'american', 'narration'),
  voice('v4', 'Finn', 'male', 'scottish', 'news'),
  voice('v5', 'River', 'neutral', 'american', 'conversational'),
];

const request = (over: Partial<CastingRequest> = {}): CastingRequest => ({
  speakers: ['Ines', 'Paul'],
  profiles: [],
  mode: 'dialogue',
  voiceMap: { auto: true, speakers: {} },
  catalogue: CATALOGUE,
  acceptsRawVoiceIds: false,
  ...over,
});

const casting = (over: Partial<CastingRequest> = {}) => {
  const outcome = castVoices(request(over));
  if (!outcome.ok) throw new Error(outcome.refusal.message);
  return outcome.value;
};

const voices = (over: Partial<CastingRequest> = {}) =>
  casting(over).cast.map(({ voiceName, source }) => `${voiceName} (${source})`);

describe('named voices', () => {
  it('come from the profile, by id or name', () => {
    const profiles = [
      { id: 'Ines', voice: 'v3' },
      { id: 'paul', voice: 'finn' },
    ];
    expect(voices({ profiles })).toEqual(['Ada (profile)', 'Finn (profile)']);
  });

  it('come from the voice map, exactly spelled first', () => {
    const voiceMap = { auto: true, speakers: { ines: 'v1', Ines: 'v3', PAUL: 'Finn' } };
    expect(voices({ voiceMap })).toEqual(['Ada (voiceMap)', 'Finn (voiceMap)']);
  });

  it('never come from what every object has', () => {
    expect(voices({ speakers: ['constructor', '__proto__'] })).toHaveLength(2);
  });

  it('let the run override the default, which serves one speaker', () => {
    const voiceMap = { auto: true, defaultVoice: 'Wren', speakers: {} };
    expect(voices({ voiceMap })).toEqual(['Wren (default)', 'Otis (auto)']);
    expect(voices({ voiceMap, voiceId: 'ada' })).toEqual(['Ada (default)', 'Otis (auto)']);
  });

  it('are kept for whom they are named, though others come first', () => {
    const voiceMap = { auto: true, speakers: { Paul: 'v1' } };
    expect(voices({ voiceMap })).toEqual(['Ada (auto)', 'Wren (voiceMap)']);
    expect(voices({ voiceMap, voiceId: 'v1' })).toEqual(['Ada (auto)', 'Wren (voiceMap)']);
  });

  it('pass to the next step, with a warning, when taken', () => {
    const profiles = [
      { id: 'Ines', voice: 'v1' },
      { id: 'Paul', voice: 'v1', gender: 'male' },
    ];
    expect(voices({ profiles })).toEqual(['Wren (profile)', 'Otis (auto)']);
    expect(casting({ profiles }).warnings).toEqual([{ code: 'voice_taken', speaker: 'Paul', voice: 'v1' }]);
  });

  it('are sent as they are when the provider may know more voices than we do', () => {
    const profiles = [{ id: 'Ines', voice: '2EiwWnXFnvU5JabPnv8n' }];
    const [ines] = casting({ profiles, acceptsRawVoiceIds: true }).cast;
    expect(ines).toMatchObject({ voiceId: '2EiwWnXFnvU5JabPnv8n', gender: null, source: 'profile' });
  });

  it.each([false, true])(
    'are reported and replaced when they cannot be a voice (raw ids: %s)',
    (acceptsRawVoiceIds) => {
      const profiles = [{ id: 'Ines', voice: '../v1/user' }];
      const { cast, warnings } = casting({ profiles, acceptsRawVoiceIds });
      expect(cast[0]).toMatchObject({ source: 'auto' });
      expect(warnings).toEqual([{ code: 'voice_unknown', speaker: 'Ines', voice: '../v1/user' }]);
    },
  );
});

it('says once that the run names an unknown voice', () => {
  expect(casting({ voiceId: 'nobody' }).warnings).toEqual([
    { code: 'voice_unknown', speaker: 'Ines', voice: 'nobody' },
  ]);
});

describe('casting by score', () => {
  it('takes the gender from the name, whatever letter it ends with', () => {
    const catalogue = [WREN, voice('v2', 'Otis', 'male', 'british', 'conversational')];
    for (const name of ['Mike', 'Luke', 'George', 'Mr Bean'])
      expect(voices({ speakers: [name], catalogue })).toEqual(['Otis (auto)']);
    for (const name of ['Emma', 'Nora', 'Mrs. Bean', 'Анна'])
      expect(voices({ speakers: [name], catalogue })).toEqual(['Wren (auto)']);
  });

  it('makes two unknown speakers sound different', () => {
    const genders = casting({ speakers: ['Qwert', 'Zxcvb', 'Emma'] }).cast.map(({ gender }) => gender);
    expect(new Set(genders.slice(0, 2))).toEqual(new Set(['male', 'female']));
  });

  it('gives a narrator a narrating voice', () => {
    expect(voices({ speakers: ['Narrator'], mode: 'monologue' })).toEqual(['Ada (auto)']);
  });

  it('scores age, style and use case as documented', () => {
    const catalogue = [{ ...WREN, labels: { ...WREN.labels, age: 'young', descriptive: 'soft' } }];
    const profiles = [
      { id: 'Ines', role: 'student', gender: 'female', age: 'young', accent: 'british', style: 'calm' },
    ];
    const [ines] = casting({ speakers: ['Ines'], profiles, catalogue }).cast;
    expect(ines?.score).toBe(40 + 20 + 20 + 3 + 10 + 10 + 8);
  });

  it('breaks ties by voice id, whatever the order of the catalogue', () => {
    const twins = ['b', 'c', 'a'].map((id) => voice(id, id, 'female', 'british'));
    expect(casting({ speakers: ['Ines'], catalogue: twins }).cast[0]?.voiceId).toBe('a');
  });
});

describe('a preferred accent', () => {
  it('may be an accent, a gender, both, or a voice to sound like', () => {
    const one = (accentPreference: string) => voices({ speakers: ['Qwert'], accentPreference });
    expect(one('scottish')).toEqual(['Finn (auto)']);
    expect(one('american_female')).toEqual(['Ada (auto)']);
    expect(one('male')).toEqual(['Otis (auto)']);
    expect(one('finn')).toEqual(['Finn (auto)']);
  });

  it('wins over the gender a name suggests, and says nothing as that was a guess', () => {
    const catalogue = CATALOGUE.filter(({ id }) => id !== 'v4');
    expect(voices({ speakers: ['Paul'], accentPreference: 'british', catalogue })).toEqual(['Wren (auto)']);
    expect(casting({ speakers: ['Paul'], accentPreference: 'british', catalogue }).warnings).toEqual([]);
  });

  it('gives way to a related accent, then to any, and says so', () => {
    expect(casting({ speakers: ['Paul'], accentPreference: 'irish' })).toMatchObject({
      cast: [{ voiceName: 'Finn' }],
      warnings: [{ code: 'accent_unmet', speaker: 'Paul', wanted: 'irish', got: 'scottish' }],
    });
    expect(casting({ speakers: ['Ines'], accentPreference: 'italian' })).toMatchObject({
      cast: [{ gender: 'female' }],
      warnings: [{ code: 'accent_unmet', wanted: 'italian' }],
    });
  });

  it('yields to the gender that a profile states', () => {
    const profiles = [{ id: 'Ines', gender: 'female', accent: 'scottish' }];
    expect(casting({ speakers: ['Ines'], profiles })).toMatchObject({
      cast: [{ voiceName: 'Wren' }],
      warnings: [{ code: 'accent_unmet', wanted: 'scottish', got: 'british' }],
    });
  });

  it('follows from the chosen voice for the others, without insisting', () => {
    const { cast, warnings } = casting({ voiceId: 'Otis', speakers: ['Paul', 'Ines'] });
    expect(cast.map(({ voiceName }) => voiceName)).toEqual(['Otis', 'Ada']);
    expect(warnings).toEqual([]);
  });
});

describe('when voices run short', () => {
  it('takes neutral voices for a required gender before any other', () => {
    const catalogue = CATALOGUE.filter(({ labels }) => labels.gender !== 'female');
    const profiles = [{ id: 'Ines', gender: 'female' }];
    expect(casting({ speakers: ['Ines'], profiles, catalogue })).toMatchObject({
      cast: [{ voiceName: 'River' }],
      warnings: [{ code: 'gender_unmet', wanted: 'female', got: 'neutral' }],
    });
  });

  it('takes familiar names first when scores are switched off', () => {
    const voiceMap = { auto: false, defaultVoice: 'Finn', speakers: {} };
    expect(voices({ voiceMap, speakers: ['A', 'B', 'C'] })).toEqual([
      'Finn (default)',
      'River (fallback)',
      'Wren (fallback)',
    ]);
  });

  it('shares a voice, the default first', () => {
    const catalogue = CATALOGUE.slice(0, 2);
    const speakers = ['Ines', 'Paul', 'Emma'];
    expect(voices({ catalogue, speakers })).toEqual(['Wren (auto)', 'Otis (auto)', 'Wren (reuse)']);
    expect(voices({ catalogue, speakers, voiceId: 'v2' }).at(-1)).toBe('Otis (reuse)');
    expect(casting({ catalogue, speakers }).warnings).toEqual([
      { code: 'voice_shared', speaker: 'Emma', voice: 'v1' },
    ]);
  });

  it('refuses when there is no voice at all', () => {
    expect(castVoices(request({ catalogue: [] }))).toMatchObject({
      ok: false,
      refusal: { code: 'no_voices' },
    });
  });
});

describe('the local catalogue', () => {
  it('serves the sample street party', () => {
    const profiles = [
      { id: 'Nora', role: 'student', gender: 'female', age: 'young', accent: 'british' },
      { id: 'Sean', role: 'student', gender: 'male', accent: 'irish', style: 'calm' },
      { id: 'Teacher', role: 'teacher', gender: 'female', accent: 'american' },
    ];
    const { cast, warnings } = casting({
      speakers: ['Teacher', 'Nora', 'Sean'],
      profiles,
      catalogue: LOCAL_VOICES,
    });
    expect(cast.map(({ gender }) => gender)).toEqual(['female', 'female', 'male']);
    expect(warnings).toMatchObject([
      { code: 'accent_unmet', speaker: 'Nora', wanted: 'british', got: 'american' },
      { code: 'accent_unmet', speaker: 'Sean', wanted: 'irish' },
    ]);
  });

  it('has distinct ids, names and sounds', () => {
    const distinct = (of: (voice: (typeof LOCAL_VOICES)[number]) => string) =>
      expect(new Set(LOCAL_VOICES.map(of)).size).toBe(LOCAL_VOICES.length);
    distinct(({ id }) => id);
    distinct(({ name }) => name);
    distinct(({ model, pitchHz, stretch }) => `${model} ${pitchHz} ${stretch}`);
  });
});

it('casts every speaker once, without sharing while voices remain', () => {
  const word = fc.constantFrom(
    'Ines',
    'Paul',
    'Teacher',
    'Narrator',
    'Qwert',
    'v1',
    'Wren',
    'british',
    'female',
    '',
  );
  const speakers = fc.uniqueArray(word, { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(speakers, word, word, word, (speakers, accentPreference, voiceId, gender) => {
      const profiles = [{ id: 'Paul', gender, accent: accentPreference, voice: voiceId }];
      const over = { speakers, profiles, accentPreference, voiceId };
      const { cast } = casting(over);
      expect(cast.map(({ speaker }) => speaker)).toEqual(speakers);
      expect(new Set(cast.map((entry) => entry.voiceId)).size).toBe(
        Math.min(speakers.length, CATALOGUE.length),
      );
      expect(casting({ ...over, catalogue: CATALOGUE.toReversed() }).cast).toEqual(cast);
    }),
  );
});
