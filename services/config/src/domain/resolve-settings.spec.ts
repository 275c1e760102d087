import { describe, expect, it } from 'vitest';
import { aCatalog, aStudent, notion } from '../../test/builders.ts';
import { completeStudents, oddities } from './catalog.ts';
import { resolveSettings } from './resolve-settings.ts';

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
const nothing = { student: '', preset: null, voiceAccent: null, notionDatabase: null };
const resolve = (wanted: Partial<typeof nothing> | { preset: string } | { notionDatabase: string }) =>
  resolveSettings(catalog, notion(), { ...nothing, ...wanted });

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
    expect(resolveSettings(catalog, notion(), { student: 'Mira', ...said })).toMatchObject({
      value: { ...said, preset: { name: 'b1-default' }, profile: 'Mira' },
    });
  });

  it('fall back to the environment’s database', () => {
    const settings = notion({ defaultDatabase: { id: 'db-9', name: 'Primary database' } });
    expect(resolveSettings(catalog, settings, nothing)).toMatchObject({ value: { notionDatabase: 'db-9' } });
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
    expect(resolveSettings(lost, notion(), { ...nothing, student: 'Mira' })).toMatchObject({
      value: { preset: null, profile: 'Mira' },
    });
    expect(oddities(lost)).toEqual(['student Mira: colorPreset: there is no preset gone']);
  });
});
