import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import type { Preset, Student, Voice, VoiceMap } from './domain/catalog.ts';

/** What the files of a catalog say, by kind. */
export type Contents = {
  readonly presets: ReadonlyMap<string, Preset>;
  readonly voiceMap: VoiceMap;
  readonly students: readonly Student[];
  readonly voices: readonly Voice[];
  readonly localVoices: readonly Voice[];
};
export type FileKind = keyof Contents;

/** A file that is not what its kind must be. The message names the key, and quotes nothing of the text. */
export class CatalogFault extends Error {
  override name = 'CatalogFault';
}

const MAX_ENTRIES = 2_000;
const MAX_FAULTS_TOLD = 5;

const COLOURS = ['default', 'gray', 'brown', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'red'];
const colour = z
  .string()
  .refine((name) => COLOURS.includes(name.replace(/_background$/, '')) && name !== 'default_background', {
    message: 'must be one of Notion’s colours, such as blue or blue_background',
  })
  .nullish()
  .transform((name) => name ?? null);

const text = z.string().trim().min(1, 'must not be blank').max(1_024, 'must be at most 1,024 characters');
/** A blank or null value says nothing. */
const optionalText = z
  .string()
  .trim()
  .max(1_024, 'must be at most 1,024 characters')
  .nullish()
  .transform((value) => value || null);

const fewEnough = (entries: object) => Object.keys(entries).length <= MAX_ENTRIES;
const tooMany = `must have at most ${MAX_ENTRIES} entries`;

const presetsFile = z
  .record(
    text,
    z
      .object({ h2: colour, h3: colour, toggleMap: z.object({ h2: colour }).nullish() })
      .transform(({ h2, h3, toggleMap }): Preset => ({ h2, h3, toggleH2: toggleMap?.h2 ?? null })),
  )
  .refine(fewEnough, tooMany)
  .transform((presets): Contents['presets'] => new Map(Object.entries(presets)));

const voiceOf = z.record(text, optionalText).refine(fewEnough, tooMany);

/** Flat (`Teacher: Alice`) or with the speakers under `speakers:`; `auto` and `default` stand beside them either way. */
const voiceMapFile = z
  .looseObject({
    auto: z.boolean().nullish(),
    default: optionalText,
    speakers: z.union([voiceOf, optionalText]).optional(),
  })
  .transform(({ auto, default: defaultVoice, speakers, ...flat }, context): VoiceMap => {
    const nested = typeof speakers === 'object' && speakers !== null;
    const read = voiceOf.safeParse({ ...flat, ...(nested ? speakers : speakers ? { speakers } : {}) });
    for (const { path, message } of read.error?.issues ?? [])
      context.addIssue({ code: 'custom', path: [...path], message });
    const said = Object.entries(read.data ?? {}).flatMap(([speaker, voice]): [string, string][] =>
      voice ? [[speaker, voice]] : [],
    );
    return { auto: auto ?? null, defaultVoice, speakers: new Map(said) };
  });

const student = z
  .object({
    student: text,
    dbId: optionalText,
    colorPreset: optionalText,
    accentPreference: optionalText,
    voices: voiceMapFile.nullish().transform((voices) => voices ?? null),
  })
  .transform(
    ({ student: name, dbId, colorPreset, accentPreference, voices }): Student => ({
      name,
      notionDatabase: dbId,
      preset: colorPreset,
      voiceAccent: accentPreference,
      voices: voices ?? { auto: null, defaultVoice: null, speakers: new Map() },
    }),
  );

/** One profile, or a list of them. */
const studentsFile = z.unknown().transform((value, context): readonly Student[] => {
  const read = Array.isArray(value)
    ? z.array(student).max(MAX_ENTRIES).safeParse(value)
    : student.transform((one) => [one]).safeParse(value);
  for (const { path, message } of read.error?.issues ?? [])
    context.addIssue({ code: 'custom', path: [...path], message });
  return read.data ?? [];
});

const voicesFile = z
  .object({
    voices: z
      .array(
        z.object({
          id: optionalText,
          name: optionalText,
          category: optionalText,
          preview_url: optionalText,
          labels: z.record(z.string(), optionalText).nullish(),
          verified_languages: z
            .array(z.looseObject({ language: optionalText }))
            .max(MAX_ENTRIES)
            .nullish(),
        }),
      )
      .max(MAX_ENTRIES),
  })
  .transform(({ voices }): readonly Voice[] =>
    // A voice without id or name cannot be chosen.
    voices.flatMap(({ id, name, category, preview_url: previewUrl, labels, verified_languages: verified }) =>
      id && name
        ? [
            {
              id,
              name,
              category,
              previewUrl,
              labels: Object.fromEntries(
                Object.entries(labels ?? {}).flatMap(([key, value]) => (value ? [[key, value]] : [])),
              ),
              verifiedLanguages: [...new Set((verified ?? []).flatMap(({ language }) => language ?? []))],
            },
          ]
        : [],
    ),
  );

const SCHEMAS: { readonly [K in FileKind]: z.ZodType<Contents[K]> } = {
  presets: presetsFile,
  voiceMap: voiceMapFile,
  students: studentsFile,
  voices: voicesFile,
  localVoices: voicesFile,
};

/** V8 quotes the text in its message; only the position is kept. */
const readJson = (source: string): unknown => {
  try {
    return JSON.parse(source);
  } catch (error) {
    const at = /\(line \d+ column \d+\)/.exec(error instanceof Error ? error.message : '');
    throw new CatalogFault(`is not valid JSON${at ? ` ${at[0]}` : ''}`);
  }
};

const readYaml = (source: string): unknown => {
  try {
    return parse(source, { schema: 'core', maxAliasCount: 10, logLevel: 'error' }) ?? {};
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw new CatalogFault('is not valid YAML');
    const line = error.linePos?.[0].line;
    throw new CatalogFault(`is not valid YAML${line ? ` (line ${line})` : ''}: ${error.code.toLowerCase()}`);
  }
};

/** Reads one file's text. Throws CatalogFault. */
export const parseCatalogFile = <K extends FileKind>(kind: K, source: string): Contents[K] => {
  const result = SCHEMAS[kind].safeParse(kind === 'voiceMap' ? readYaml(source) : readJson(source));
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  const more = faults.length - MAX_FAULTS_TOLD;
  throw new CatalogFault(
    [...faults.slice(0, MAX_FAULTS_TOLD), ...(more > 0 ? [`and ${more} more`] : [])].join('; '),
  );
};
