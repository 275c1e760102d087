import type { LessonMeta } from '../../lesson/front-matter.ts';
import type { Plain } from '../../lesson/yaml.ts';
import type { Warning } from '../../pipeline/run.ts';
import { LESSON_ID } from './page-identity.ts';
import { type PropertyValue, propertyValue } from './property-value.ts';
import { propertyNamed, type Target, titleProperty } from './target.ts';

/** Finds what stands for a student where names are not enough. */
export type Lookup = {
  /** The student's page in a data source. */
  readonly student: (name: string, dataSourceId: string | null) => Promise<string | null>;
  /** A member of the workspace. */
  readonly person: (name: string) => Promise<string | null>;
};

export type PageProperties = Readonly<Record<string, PropertyValue>>;

const student = async (
  name: string,
  target: Target,
  lookup: Lookup,
  warn: (warning: Warning) => void,
): Promise<readonly [string, Plain] | null> => {
  const shape = propertyNamed(target, 'Student');
  if (!shape || !name) return null;
  const isLinked = shape.type === 'relation' || shape.type === 'people';
  if (!isLinked) return ['Student', name];
  const id = await (shape.type === 'people' ? lookup.person(name) : lookup.student(name, shape.dataSourceId));
  if (id) return ['Student', id];
  warn({
    code: 'notion_student_not_found',
    message: `The page is not linked to a student: there is not exactly one called ${name} in Notion.`,
  });
  return null;
};

/**
 * What the lesson says about itself, as far as the database has a property for it. The title has whatever name it has
 * there; Topic, Level, Input type and Student are written where they exist; the front matter's own properties must.
 */
export const pageProperties = async (
  meta: LessonMeta,
  lessonId: string,
  target: Target,
  lookup: Lookup,
  warn: (warning: Warning) => void,
): Promise<PageProperties> => {
  const known: (readonly [string, Plain] | null)[] = [
    ['Topic', meta.topic],
    ['Level', meta.level],
    ['Input type', meta.inputType],
    [LESSON_ID, lessonId],
    await student(meta.student, target, lookup, warn),
  ];
  const properties: Record<string, PropertyValue> = {
    [titleProperty(target)]: propertyValue(meta.title || 'Lesson', TITLE) as PropertyValue,
  };
  const set = (name: string, value: Plain, isExpected: boolean) => {
    const shape = propertyNamed(target, name);
    if (!shape) {
      if (isExpected && value !== null && value !== '')
        warn({
          code: 'notion_property_unknown',
          message: `The Notion database has no property ${name}; it is left out.`,
        });
      return;
    }
    const written = shape.type === 'title' ? null : propertyValue(value, shape);
    if (!written) return;
    if ('unfit' in written)
      warn({
        code: 'notion_property_value',
        message: `The property ${shape.name} is left out: ${String(written.unfit)}.`,
      });
    else properties[shape.name] = written;
  };
  for (const each of known) if (each) set(each[0], each[1], false);
  for (const [name, value] of Object.entries(meta.properties))
    if (name.toLowerCase() !== 'topic') set(name, value, true);
  return properties;
};

const TITLE = { type: 'title', options: [], dataSourceId: null };
