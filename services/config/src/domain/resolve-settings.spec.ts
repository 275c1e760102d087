import { describe, expect, it } from 'vitest';
import { aCatalog, aStudent, notion } from '../../test/builders.ts';
import { completeStudents, oddities } from './catalog.ts';
import { NEW_OWNER } from './owner-settings.ts';
import { type Background, resolveSettings, type Wanted } from './resolve-settings.ts';

const colours = { h2: 'blue', h3: null, toggleH2: null };
const presets = new Map([
  ['b1-default', colours],
  ['calm-blue', colours],
]);
const mira = aStudent('Mira', {
  preset: 'calm-blue',
  notionDatabase: 'db-1',
  voiceAccent: 'british',
  voices: { auto: false, defaultVoice: null, speakers: new Map([['Ines', 'v-2']]) },
});
const voiceMap = {
  auto: null,
  defaultVoice: 'v-0',
  speakers: new Map([
    ['Ines', 'v-1'],
    ['Paul', 'v-3'],
  ]),
};
const catalog = aCatalog({ presets, voiceMap, students: completeStudents([mira]) });
const nothing = { student: '', preset: null, voiceAccent: null, notionDatabase: null, mode: null } as const;
const resolve = (wanted: Partial<Wanted>, over: Partial<Background> = {}) =>
  resolveSettings(
    { catalog, notion: notion(), owner: null, defaultMode: 'auto', ...over },
    { ...nothing, ...wanted },
  );

describe('the settings of a job', () => {
  it('come from the student’s profile, found by name in any case', () => {
    expect(resolve({ student: ' mIRA ' })).toMatchObject({
      value: {
        profile: 'Mira',
        preset: { name: 'calm-blue', h2: 'blue' },
        voiceAccent: 'british',
        notionDatabase: 'db-1',
      },
    });
  });

  it('come from the Default profile for everyone else, which is there even when no file has it', () => {
    for (const student of ['', 'Nobody'])
      expect(resolve({ student })).toMatchObject({
        value: {
          profile: 'Default',
          preset: { name: 'b1-default' },
          voiceAccent: null,
          notionDatabase: null,
        },
      });
  });

  it('are the job’s own wherever it says something', () => {
    const said = { preset: 'b1-default', voiceAccent: 'american_male', notionDatabase: 'local' };
    expect(resolve({ student: 'Mira', ...said })).toMatchObject({
      value: { ...said, preset: { name: 'b1-default' }, profile: 'Mira' },
    });
  });

  it('fall back to the environment’s database', () => {
    const settings = notion({ defaultDatabase: { id: 'db-9', name: 'Primary database' } });
    expect(resolve({}, { notion: settings })).toMatchObject({ value: { notionDatabase: 'db-9' } });
  });

  it('put the student’s voices over voices.yml', () => {
    expect(resolve({ student: 'Mira' })).toMatchObject({
      value: {
        voiceMap: {
          auto: false,
          defaultVoice: 'v-0',
          speakers: new Map([
            ['Ines', 'v-2'],
            ['Paul', 'v-3'],
          ]),
        },
      },
    });
  });

  it('are refused when the job names a preset or database that does not exist', () => {
    expect(resolve({ preset: 'neon' })).toMatchObject({ refusal: { code: 'unknown_preset' } });
    expect(resolve({ preset: '__proto__' })).toMatchObject({ refusal: { code: 'unknown_preset' } });
    expect(resolve({ notionDatabase: 'db-77' })).toMatchObject({
      refusal: { code: 'unknown_notion_database' },
    });
  });

  it('pass over a profile’s preset that does not exist, and the catalog says so', () => {
    const lost = aCatalog({ presets, students: completeStudents([aStudent('Mira', { preset: 'gone' })]) });
    expect(resolve({ student: 'Mira' }, { catalog: lost })).toMatchObject({
      value: { preset: null, profile: 'Mira' },
    });
    expect(oddities(lost)).toEqual(['student Mira: colorPreset: there is no preset gone']);
  });
});

describe('what an owner has set', () => {
  const owner = { ...NEW_OWNER, defaultPreset: 'calm-blue', defaultVoiceAccent: 'irish' };
  const own = (wanted: Partial<Wanted>, over: Partial<typeof owner> = {}) =>
    resolve(wanted, { owner: { ...owner, ...over } });

  it('comes before the Default profile, and after the student’s', () => {
    expect(own({})).toMatchObject({ value: { preset: { name: 'calm-blue' }, voiceAccent: 'irish' } });
    expect(own({ student: 'Mira' })).toMatchObject({ value: { voiceAccent: 'british' } });
    expect(own({ preset: 'b1-default', voiceAccent: 'scottish' })).toMatchObject({
      value: { preset: { name: 'b1-default' }, voiceAccent: 'scottish' },
    });
  });

  it('says the mode after the job, and before the system', () => {
    expect(own({}, { defaultTtsMode: 'dialogue' })).toMatchObject({ value: { mode: 'dialogue' } });
    expect(own({ mode: 'monologue' }, { defaultTtsMode: 'dialogue' })).toMatchObject({
      value: { mode: 'monologue' },
    });
    expect(resolve({}, { defaultMode: 'monologue' })).toMatchObject({ value: { mode: 'monologue' } });
  });

  it('says who narrates; nobody says nothing', () => {
    expect(own({}, { ttsProvider: 'local' })).toMatchObject({ value: { ttsProvider: 'local' } });
    expect(resolve({})).toMatchObject({ value: { ttsProvider: null } });
  });

  it('is passed over where it no longer exists or was cleared', () => {
    for (const defaultPreset of ['gone', null])
      expect(own({}, { defaultPreset } as typeof owner)).toMatchObject({
        value: { preset: { name: 'b1-default' } },
      });
  });

  it('makes databases possible that only Notion knows, once there is a token', () => {
    const id = '1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b';
    const wish = { notionDatabase: id };
    expect(own(wish)).toMatchObject({ refusal: { code: 'unknown_notion_database' } });
    expect(own(wish, { hasNotionToken: true })).toMatchObject({ value: { notionDatabase: id } });
    expect(own({ notionDatabase: 'db-77' }, { hasNotionToken: true })).toMatchObject({
      refusal: { code: 'unknown_notion_database' },
    });
  });
});
