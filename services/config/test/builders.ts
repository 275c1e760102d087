import { type Catalog, FALLBACK, NO_VOICE_MAP, type Student, type Voice } from '../src/domain/catalog.ts';
import type { NotionSettings } from '../src/domain/notion-databases.ts';

export const aStudent = (name: string, over: Partial<Student> = {}): Student => ({
  name,
  notionDatabase: null,
  preset: null,
  voiceAccent: null,
  voices: NO_VOICE_MAP,
  ...over,
});

export const aVoice = (name: string, labels: Voice['labels'] = {}): Voice => ({
  id: `id-${name}`,
  name,
  category: null,
  previewUrl: null,
  labels,
  verifiedLanguages: [],
});

export const aCatalog = (over: Partial<Catalog> = {}): Catalog => ({ ...FALLBACK, ...over });

export const notion = (over: Partial<NotionSettings> = {}): NotionSettings => ({
  hasToken: true,
  options: [],
  defaultDatabase: null,
  ...over,
});
