import { describe, expect, it } from 'vitest';
import { aCatalog, aVoice, notion } from '../../test/builders.ts';
import { jobOptions } from './job-options.ts';

const NO_COLOURS = { h2: null, h3: null, toggleH2: null };

describe('job options', () => {
  it('offer presets by name, and every mode and upload', () => {
    const presets = new Map(['b1', 'a1', 'calm'].map((name) => [name, NO_COLOURS]));
    expect(jobOptions(aCatalog({ presets }), notion(), 'elevenlabs')).toMatchObject({
      presets: ['a1', 'b1', 'calm'],
      uploadOptions: ['auto', 's3', 'none'],
      modes: ['auto', 'dialogue', 'monologue'],
    });
  });

  it('offer voices by name, with one token for accent and gender', () => {
    const voices = [
      aVoice('Wren', { accent: 'New Zealand', gender: 'Female' }),
      aVoice('Bo', { accent: 'british' }),
      aVoice('Cy', { gender: 'male' }),
      aVoice('Al'),
    ];
    expect(jobOptions(aCatalog({ voices }), notion(), 'elevenlabs').voices).toEqual([
      { id: 'id-Al', name: 'Al', category: null, accent: null, gender: null },
      { id: 'id-Bo', name: 'Bo', category: null, accent: 'british', gender: null },
      { id: 'id-Cy', name: 'Cy', category: null, accent: null, gender: 'male' },
      { id: 'id-Wren', name: 'Wren', category: null, accent: 'new_zealand_female', gender: 'female' },
    ]);
  });

  it('offer each accent once, in the order of the voices', () => {
    const voices = [
      aVoice('C', { accent: 'american', gender: 'male' }),
      aVoice('B', { accent: 'british', gender: 'female' }),
      aVoice('A', { accent: 'american', gender: 'male' }),
    ];
    expect(jobOptions(aCatalog({ voices }), notion(), 'elevenlabs').voiceAccents).toEqual([
      'american_male',
      'british_female',
    ]);
  });

  it('still offer accents while no voice is known', () => {
    expect(jobOptions(aCatalog(), notion(), 'elevenlabs')).toMatchObject({
      presets: ['b1-default'],
      voiceAccents: ['american_female', 'british_male'],
      voices: [],
      notionDatabases: [{ id: 'local', name: 'Local page' }],
    });
  });
});
