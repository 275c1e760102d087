import { z } from 'zod';
import { quote, type Report } from './findings.ts';
import type { SourceLine } from './source-lines.ts';
import { type Plain, readYaml, type YamlRead } from './yaml.ts';

export const ROLES = ['narrator', 'teacher', 'student', 'system'] as const;
export const GENDERS = ['male', 'female', 'neutral', 'child'] as const;
export const AGES = ['child', 'teen', 'young', 'adult', 'middle_aged', 'senior', 'universal'] as const;

/** What the lesson says about a speaker's voice. Values that mean nothing are left out; unknown keys are in `other`. */
export type SpeakerProfile = {
  readonly id: string;
  readonly displayName?: string;
  readonly role?: (typeof ROLES)[number];
  readonly gender?: (typeof GENDERS)[number];
  readonly age?: (typeof AGES)[number];
  readonly accent?: string;
  readonly style?: string;
  /** Voice id, or a name in the catalogue. */
  readonly voice?: string;
  readonly other: Readonly<Record<string, Plain>>;
};

/** The front matter, checked. A required text that is missing is '' here, and an error among the findings. */
export type LessonMeta = {
  readonly title: string;
  readonly student: string;
  /** CEFR level, as in `B1+`. */
  readonly level: string;
  /** Comma-separated when there are several. */
  readonly topic: string;
  readonly inputType: string;
  readonly speakerLabels: readonly string[];
  readonly speakerProfiles: readonly SpeakerProfile[];
  readonly icon?: string;
  readonly cover?: string;
  readonly properties: Readonly<Record<string, Plain>>;
};

export type FrontMatter = {
  /** All keys as written. */
  readonly raw: Readonly<Record<string, Plain>>;
  readonly meta: LessonMeta;
};

type Split = { readonly frontMatter: FrontMatter | null; readonly body: readonly SourceLine[] };

/** Takes the front matter off a lesson's lines and checks it. Null, after a finding, when it cannot be read. */
export const readFrontMatter = (lines: readonly SourceLine[], report: Report): Split => {
  const none: Split = { frontMatter: null, body: lines };
  const first = lines[0];
  const language = /^---[ \t]*(\S.*)?$/.exec(first?.text ?? '');
  if (!first || !language || language[1]?.startsWith('-')) {
    report(
      'FRONT_MATTER_MISSING',
      first?.number ?? 1,
      'The lesson must begin with front matter: title, student, level, topic and input_type between two lines ---.',
    );
    return none;
  }
  if (language[1] && !/^ya?ml\s*$/i.test(language[1])) {
    report(
      'FRONT_MATTER_LANGUAGE',
      first.number,
      `Front matter is YAML and is never run as a program. Write only --- on this line, without ${quote(language[1])}.`,
    );
    return none;
  }
  const endAt = lines.findIndex(({ text }, index) => index > 0 && /^---[ \t]*$/.test(text));
  if (endAt < 0) {
    report(
      'FRONT_MATTER_UNCLOSED',
      first.number,
      'The front matter that begins here has no end. Put a line --- after its last key.',
    );
    return none;
  }
  const yaml = readYaml(
    lines
      .slice(1, endAt)
      .map(({ text }) => text)
      .join('\n'),
  );
  const body = lines.slice(endAt + 1);
  if (!yaml.ok) {
    report(
      'FRONT_MATTER_YAML',
      first.number + yaml.line,
      `The front matter cannot be read here. ${yaml.message}`,
    );
    return { frontMatter: null, body };
  }
  if (!isRecord(yaml.value)) {
    report(
      'FRONT_MATTER_YAML',
      first.number,
      'The front matter must be lines of the form key: value, such as level: B1.',
    );
    return { frontMatter: null, body };
  }
  return { frontMatter: { raw: yaml.value, meta: checkMeta(yaml.value, yaml, first.number, report) }, body };
};

const isRecord = (value: Plain | undefined): value is { readonly [key: string]: Plain } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const Text = z.string().trim().min(1);
const Emoji = z
  .string()
  .trim()
  .regex(/^(?:\p{RGI_Emoji}|\p{Extended_Pictographic})$/v);

/** Each key, what it must be, and how to say so. */
const FIELDS = {
  title: { schema: Text, must: 'must be some text' },
  student: { schema: Text, must: "must be the student's name" },
  level: { schema: Text, must: 'must be a level in text, such as level: B1+ (a bare number needs quotes)' },
  topic: {
    schema: z.union([Text, z.array(Text).min(1)]).transform((value) => [value].flat().join(', ')),
    must: 'must be some text or a list of texts',
  },
  input_type: { schema: Text, must: 'must be generate or authentic' },
  speaker_labels: {
    schema: z.array(Text).max(50),
    must: 'must be a list of names, such as speaker_labels: [Ines, Paul]',
  },
  icon: { schema: Emoji, must: 'must be exactly one emoji' },
  cover: {
    schema: z.string().trim().max(2_000).refine(isWebUrl),
    must: 'must be a web address that starts with https://',
  },
} as const;

export function isWebUrl(text: string): boolean {
  return /^https?:\/\/[^\s<>"]+$/i.test(text) && URL.canParse(text);
}

type Read = Extract<YamlRead, { ok: true }>;

const checkMeta = (
  raw: Readonly<Record<string, Plain>>,
  { lineOf }: Read,
  firstLine: number,
  report: Report,
): LessonMeta => {
  const own = (key: string) => (Object.hasOwn(raw, key) ? (raw[key] ?? undefined) : undefined);
  const at = (path: readonly PropertyKey[]) => firstLine + lineOf(path);

  const field = <Key extends keyof typeof FIELDS>(key: Key, required: boolean) => {
    const { schema, must } = FIELDS[key];
    const value = own(key);
    if (value === undefined && !required) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data as z.output<(typeof FIELDS)[Key]['schema']>;
    const path = [key, ...(parsed.error.issues[0]?.path ?? [])];
    report(
      'FRONT_MATTER_FIELD',
      at(path),
      value === undefined ? `The front matter needs ${key}; it ${must}.` : `The value of ${key} ${must}.`,
      { path: pathText(path) },
    );
    return undefined;
  };

  const inputType = field('input_type', true) ?? '';
  if (inputType !== '' && !['generate', 'authentic'].includes(inputType))
    report(
      'INPUT_TYPE',
      at(['input_type']),
      `input_type is usually generate or authentic, not ${quote(inputType)}.`,
      { path: 'input_type' },
    );
  const speakerLabels = [...new Set(field('speaker_labels', false) ?? [])];
  const icon = field('icon', false);
  const cover = field('cover', false);
  const properties = own('properties');
  if (properties !== undefined && !isRecord(properties))
    report('FRONT_MATTER_FIELD', at(['properties']), 'properties must be a list of lines name: value.', {
      path: 'properties',
    });
  return {
    title: field('title', true) ?? '',
    student: field('student', true) ?? '',
    level: field('level', true) ?? '',
    topic: field('topic', true) ?? '',
    inputType,
    speakerLabels,
    speakerProfiles: checkProfiles(own('speaker_profiles'), speakerLabels, at, report),
    ...(icon ? { icon } : {}),
    ...(cover ? { cover } : {}),
    properties: isRecord(properties) ? properties : {},
  };
};

const PROFILE = {
  display_name: Text,
  role: z.enum(ROLES),
  gender: z.enum(GENDERS),
  age: z.enum(AGES),
  accent: Text,
  style: Text,
  voice: Text,
} as const;

const Profile = z.object({ id: Text, ...PROFILE }).partial();

const checkProfiles = (
  value: Plain | undefined,
  labels: readonly string[],
  at: (path: readonly PropertyKey[]) => number,
  report: Report,
): SpeakerProfile[] => {
  const odd = (path: readonly PropertyKey[], message: string) =>
    report('PROFILE_VALUE', at(path), message, { path: pathText(path) });
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    odd(['speaker_profiles'], 'speaker_profiles must be a list, each entry with an id; it is ignored.');
    return [];
  }
  const known = new Set(labels.map((label) => label.toLowerCase()));
  return value.slice(0, 50).flatMap((entry: Plain, index): SpeakerProfile[] => {
    const path = ['speaker_profiles', index];
    const id = isRecord(entry) ? Text.safeParse(entry.id) : null;
    if (!isRecord(entry) || !id?.success) {
      odd(
        path,
        'This speaker profile has no id, so it is ignored. Give it the name of a speaker, such as id: Ines.',
      );
      return [];
    }
    if (known.size > 0 && !known.has(id.data.toLowerCase()))
      report(
        'PROFILE_UNLABELLED',
        at([...path, 'id']),
        `${quote(id.data)} is not among the speaker_labels (${labels.join(', ')}). Add it there, or correct the id.`,
        { path: pathText([...path, 'id']) },
      );
    const good: Record<string, Plain> = {};
    const other: [string, Plain][] = [];
    for (const [key, given] of Object.entries(entry)) {
      if (key === 'id' || given === null) continue;
      const schema = Object.hasOwn(PROFILE, key) ? PROFILE[key as keyof typeof PROFILE] : undefined;
      const parsed = schema?.safeParse(typeof given === 'string' ? given.trim() : given);
      if (!parsed) other.push([key, given]);
      else if (parsed.success) good[key] = parsed.data;
      else {
        const choice = schema instanceof z.ZodEnum ? `one of ${schema.options.join(', ')}` : 'some text';
        odd([...path, key], `${key} of ${quote(id.data)} should be ${choice}; the value is ignored.`);
      }
    }
    const { display_name, ...rest } = Profile.parse(good);
    return [
      {
        id: id.data,
        ...(display_name ? { displayName: display_name } : {}),
        ...withoutUndefined(rest),
        other: Object.fromEntries(other),
      },
    ];
  });
};

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

const withoutUndefined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;

const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index ? '.' : ''}${String(step)}`))
    .join('');
