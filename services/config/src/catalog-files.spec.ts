import { describe, expect, it } from 'vitest';
import { type FileKind, parseCatalogFile } from './catalog-files.ts';

const json = (kind: FileKind, value: unknown) => parseCatalogFile(kind, JSON.stringify(value));

describe('presets.json', () => {
  it('holds heading colours by name', () => {
    const presets = parseCatalogFile(
      'presets',
      '{"calm-blue":{"h2":"blue_background","toggleMap":{"h2":"blue"}},"plain":{}}',
    );
    expect([...presets]).toEqual([
      ['calm-blue', { h2: 'blue_background', h3: null, toggleH2: 'blue' }],
      ['plain', { h2: null, h3: null, toggleH2: null }],
    ]);
  });

  it('names the key of a colour that Notion does not have', () => {
    expect(() => json('presets', { loud: { h2: 'crimson' } })).toThrow(/^loud\.h2: must be one of Notion/);
    expect(() => json('presets', { loud: { toggleMap: { h2: 'default_background' } } })).toThrow(
      /^loud\.toggleMap\.h2: /,
    );
  });

  it('says where the JSON breaks, and quotes nothing of it', () => {
    const read = () => parseCatalogFile('presets', '{\n  "secret": nope\n}');
    expect(read).toThrow(/^is not valid JSON/);
    expect(read).not.toThrow(/nope|secret/);
  });

  it('is refused when it is a list', () => {
    expect(() => json('presets', [])).toThrow(/expected record/);
  });
});

describe('voices.yml', () => {
  it('maps speakers to voices, flat', () => {
    const map = parseCatalogFile('voiceMap', 'auto: false\ndefault: Wren\nTeacher: v-001\nMr. Fox: v-002\n');
    expect(map).toEqual({
      auto: false,
      defaultVoice: 'Wren',
      speakers: new Map([
        ['Teacher', 'v-001'],
        ['Mr. Fox', 'v-002'],
      ]),
    });
  });

  it('maps speakers to voices under `speakers`', () => {
    const map = parseCatalogFile('voiceMap', 'default: Wren\nspeakers:\n  Teacher: v-001\n  auto: v-002\n');
    expect(map).toEqual({
      auto: null,
      defaultVoice: 'Wren',
      speakers: new Map([
        ['Teacher', 'v-001'],
        ['auto', 'v-002'],
      ]),
    });
  });

  it('may be empty, or only comments', () => {
    for (const text of ['', '# nothing yet\n', '{}'])
      expect(parseCatalogFile('voiceMap', text)).toEqual({
        auto: null,
        defaultVoice: null,
        speakers: new Map(),
      });
  });

  it('names the speaker whose voice is no text', () => {
    expect(() => parseCatalogFile('voiceMap', 'Teacher: [v-001]\n')).toThrow(/^Teacher: /);
    expect(() => parseCatalogFile('voiceMap', 'auto: maybe\n')).toThrow(/^auto: /);
  });

  it('names the line of broken YAML, and evaluates no tag', () => {
    expect(() => parseCatalogFile('voiceMap', 'a: 1\nb: [\n')).toThrow(/^is not valid YAML \(line \d\)/);
    expect(() => parseCatalogFile('voiceMap', 'Teacher: v\nTeacher: w\n')).toThrow(/duplicate_key/);
    expect(() => parseCatalogFile('voiceMap', 'a: !!js/function "function(){}"\n')).not.toThrow(/function\(/);
  });
});

describe('a student profile', () => {
  it('says what a job leaves open', () => {
    const [mira] = parseCatalogFile(
      'students',
      '{"student":"Mira","dbId":"db-1","colorPreset":"calm-blue","accentPreference":"british",' +
        '"voices":{"default":"v-001","Ines":"v-002"},"pageParentId":null}',
    );
    expect(mira).toEqual({
      name: 'Mira',
      notionDatabase: 'db-1',
      preset: 'calm-blue',
      voiceAccent: 'british',
      voices: { auto: null, defaultVoice: 'v-001', speakers: new Map([['Ines', 'v-002']]) },
    });
  });

  it('may leave all but the name open', () => {
    expect(json('students', { student: ' Mira ', dbId: null, colorPreset: '' })).toMatchObject([
      { name: 'Mira', notionDatabase: null, preset: null },
    ]);
  });

  it('may come in a list, whose faults name the place', () => {
    expect(json('students', [{ student: 'A' }, { student: 'B' }])).toHaveLength(2);
    expect(() => json('students', [{ student: 'A' }, { student: 7 }])).toThrow(/^1\.student: /);
    expect(() => json('students', { dbId: 'x' })).toThrow(/^student: /);
  });
});

describe('a catalogue of voices', () => {
  it('keeps labels that say something, and voices that can be chosen', () => {
    const voices = json('voices', {
      voices: [
        {
          id: 'v-001',
          name: 'Wren',
          preview_url: null,
          labels: { accent: '', gender: 'female', age: null },
          verified_languages: [{ language: 'en', model_id: 'a' }, { language: 'en', model_id: 'b' }, {}],
        },
        { id: 'v-002', name: null },
      ],
    });
    expect(voices).toEqual([
      {
        id: 'v-001',
        name: 'Wren',
        category: null,
        previewUrl: null,
        labels: { gender: 'female' },
        verifiedLanguages: ['en'],
      },
    ]);
  });

  it('tells the first faults only', () => {
    const broken = { voices: Array.from({ length: 9 }, () => ({ id: 1 })) };
    expect(() => json('voices', broken)).toThrow(/^voices\.0\.id: .*; and 4 more$/);
  });
});
