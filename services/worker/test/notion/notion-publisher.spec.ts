import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parcelWith, parcelWithText, sampleLesson } from '../../src/lesson/finding-examples.ts';
import type { Page, Publisher, PublishRequest } from '../../src/publisher/publisher.ts';
import { FULL_SCHEMA, forever, type NotionWorld, openNotionWorld, parsed } from './notion-world.ts';

let world: NotionWorld;
let publisher: Publisher;
beforeAll(async () => {
  world = await openNotionWorld();
  publisher = world.publisher();
  await publisher.publish(world.request(parsed(sampleLesson('the-lost-parcel'))), null, forever);
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(() => {
  world.server.clearFaults();
  world.warnings.length = 0;
  world.calls();
});

const parcel = parsed(sampleLesson('the-lost-parcel'));

const published = async (over: Partial<PublishRequest> = {}, lesson = parcel) => {
  const request = world.request(lesson, over);
  const page = await publisher.publish(request, null, forever);
  world.calls();
  return { request, page };
};

const again = (
  request: PublishRequest,
  previous: Page,
  over: Partial<PublishRequest> = {},
  sound: string | null = null,
) =>
  publisher.publish(
    { ...request, previous, isRepeat: true, ...over },
    sound === null ? null : world.sound(sound),
    forever,
  );

const idsOf = (pageId: string) => world.server.blocksOf(pageId).map(({ id }) => id);
const namesOf = (pageId: string) => world.server.blocksOf(pageId).map(({ type }) => type);

describe('a page of an earlier token', () => {
  it('is changed with the next one, however often, and nothing is on it twice', async () => {
    const { request, page } = await published();
    const own = world.publisher({ token: world.server.givenToken() });
    let previous = page;
    for (const text of ['One.', 'One.\n\nTwo.', 'Three.']) {
      const lesson = parsed(parcelWithText(text));
      previous = await own.publish({ ...request, previous, isRepeat: true, lesson }, null, forever);
      const fresh = await published({}, lesson);
      expect(world.server.outline(page.id)).toEqual(world.server.outline(fresh.page.id));
    }
  });
});

describe('a page that is published again', () => {
  it('costs nothing when nothing has changed', async () => {
    const { request, page } = await published();
    expect(await again(request, page)).toEqual(page);
    expect(world.calls()).toEqual([]);
  });

  it('keeps every block that the lesson did not change', async () => {
    const { request, page } = await published();
    const before = idsOf(page.id);
    const lesson = parsed(
      parcelWith(['Use *so* and *because* to join two ideas.', 'Use *so* and *but*.\n\nNew.']),
    );
    await again(request, page, { lesson });
    const after = idsOf(page.id);
    expect(after.filter((id) => before.includes(id))).toEqual(before);
    expect(after).toHaveLength(before.length + 1);
    expect(world.server.outline(page.id)).toContain('paragraph: Use *so* and *but*.');
    const writes = world.calls().filter((call) => !call.startsWith('GET'));
    expect(writes).toEqual(['PATCH /blocks/:id', 'PATCH /blocks/:id/children']);
  });

  it('follows changes in toggles and lists, and takes out what is gone', async () => {
    const lessonWith = (text: string) => parsed(parcelWithText(text));
    const { request, page } = await published(
      {},
      lessonWith(':::toggle-heading T\n- a\n  - b\n- c\n:::\n\n| a |\n|---|\n| 1 |\n| 2 |'),
    );
    const wanted = lessonWith(
      ':::toggle-heading T\n- a\n  - B\n  - d\n:::\n\n| a |\n|---|\n| 1 |\n| 3 |\n| 4 |',
    );
    await again(request, page, { lesson: wanted });
    const changed = world.server.outline(page.id);
    const fresh = await published({}, wanted);
    expect(changed).toEqual(world.server.outline(fresh.page.id));
  });

  it('leaves alone what somebody else has put on it', async () => {
    const { request, page } = await published();
    const [first = ''] = idsOf(page.id);
    const note = { paragraph: { rich_text: [{ text: { content: 'Well done, Mira!' } }] } };
    const theirs = world.server.givenBlock(page.id, note, first);
    await again(request, page, { lesson: parsed(parcelWithText('Other words.')) });
    expect(idsOf(page.id)[1]).toBe(theirs);
  });

  it('is a new one when the old one is in the trash', async () => {
    const { request, page } = await published();
    world.server.trash(page.id);
    expect(await publisher.exists(page, forever)).toBe(false);
    const next = await again(request, page, { lesson: parsed(parcelWithText('x')) });
    expect(next.id).not.toBe(page.id);
  });

  it('moves to another database, with the properties that one has', async () => {
    const { request, page } = await published();
    const moved = await again(request, page, { database: world.bare.id });
    expect(moved.id).toBe(page.id);
    const standing = world.server.page(page.id);
    expect(standing.parent).toMatchObject({ data_source_id: world.bare.sourceId });
    expect(standing.properties.Name).toMatchObject({ title: [{ plain_text: 'Homework: The Lost Parcel' }] });
    expect(world.calls().filter((call) => /move/.test(call))).toHaveLength(1);
  });
});

describe('new colours', () => {
  const yellow = { h2: 'yellow_background', h3: 'purple_background' };

  it('are given to the headings that have another, and to no other block', async () => {
    const { request, page } = await published({ colours: yellow });
    await again(request, page, { colours: { ...yellow, h3: 'green' } });
    const calls = world.calls();
    const headings = namesOf(page.id).filter((type) => type === 'heading_3').length;
    expect(headings).toBe(2);
    expect(calls.filter((call) => call === 'PATCH /blocks/:id')).toHaveLength(headings);
    expect(calls).toHaveLength(headings + 2);
    expect(world.server.outline(page.id).filter((line) => /^heading_3\(green\)/.test(line))).toHaveLength(2);
  });

  it('leave what was written into properties meanwhile', async () => {
    const { request, page } = await published({ colours: yellow }, parsed(sampleLesson('street-party')));
    world.server.setProperty(page.id, 'Status', { status: { name: 'Not started' } });
    await again(request, page, { colours: {} });
    expect(world.server.page(page.id).properties.Status).toMatchObject({ status: { name: 'Not started' } });
  });

  it('reach headings inside toggles, and are taken back', async () => {
    const lesson = parsed(parcelWithText(':::toggle-heading T\n### Inside\n:::'));
    const { request, page } = await published({ colours: yellow }, lesson);
    const plain = await again(request, page, { colours: {} });
    expect(world.server.outline(page.id).join('\n')).not.toMatch(/yellow|purple/);
    await again(request, plain, { colours: { h3: 'red' } });
    expect(world.server.outline(page.id)).toContain('  heading_3(red): Inside');
  });
});

describe('the narration', () => {
  const audioOf = (pageId: string) => world.server.blocksOf(pageId).filter(({ type }) => type === 'audio');
  const beforeStudyText = (pageId: string) => {
    const blocks = world.server.blocksOf(pageId);
    return blocks[blocks.findIndex(({ type }) => type === 'toggle') - 1];
  };

  it('stands before the study text, as a file that Notion keeps', async () => {
    const { request, page } = await published();
    const { audio } = await again(request, page, {}, 'first');
    expect(world.calls()).toEqual([
      'POST /file_uploads',
      'POST /file_uploads/:id/send',
      'GET /blocks/:id/children',
      'PATCH /blocks/:id/children',
    ]);
    expect(beforeStudyText(page.id)).toMatchObject({
      id: audio?.blockId,
      type: 'audio',
      audio: { type: 'file' },
    });
    expect(world.server.uploaded().at(-1)).toMatchObject({ filename: 'Homework The Lost Parcel.mp3' });
    expect(world.server.uploaded().at(-1)?.bytes.toString()).toBe('first');
  });

  it('is replaced in its place by one request, and only when it is another', async () => {
    const { request, page } = await published();
    const link = (name: string) => ({ url: `https://cdn.example.org/${name}.mp3`, expiresAt: null });
    const publish = (previous: Page, name: string) =>
      publisher.publish({ ...request, previous }, { ...world.sound(name), link: link(name) }, forever);
    const first = await publish(page, 'first');
    expect(world.calls()).toEqual(['GET /blocks/:id/children', 'PATCH /blocks/:id/children']);
    const second = await publish(first, 'second');
    expect(world.calls()).toEqual(['PATCH /blocks/:id']);
    expect(await publish(second, 'second')).toEqual(second);
    expect(world.calls()).toEqual([]);
    expect(second.audio?.blockId).toBe(first.audio?.blockId);
    expect(audioOf(page.id)).toMatchObject([{ audio: { external: { url: link('second').url } } }]);
  });

  it('is linked anew when its link has ended', async () => {
    const { request, page } = await published();
    const sound = (expiresAt: Date) => ({
      ...world.sound('x'),
      link: { url: 'https://cdn.example.org/x', expiresAt },
    });
    const first = await publisher.publish({ ...request, previous: page }, sound(new Date(0)), forever);
    world.calls();
    await publisher.publish(
      { ...request, previous: first },
      sound(new Date(Date.now() + 86_400_000)),
      forever,
    );
    expect(world.calls()).toEqual(['PATCH /blocks/:id']);
  });

  it('never touches the lesson’s own audio, nor anybody else’s', async () => {
    const lesson = parsed(
      parcelWith([
        ':::study-text Transcript',
        ':::audio https://example.org/own.mp3\n:::study-text Transcript',
      ]),
    );
    const { request, page } = await published({}, lesson);
    const [own] = audioOf(page.id);
    const theirs = world.server.givenBlock(
      page.id,
      { audio: { external: { url: 'https://example.org/theirs.mp3' } } },
      own?.id ?? null,
    );
    const first = await again(request, page, {}, 'first');
    await again(
      request,
      first,
      {
        lesson: parsed(
          parcelWith(
            [':::study-text Transcript', ':::audio https://example.org/own.mp3\n:::study-text Transcript'],
            ['join two ideas', 'join ideas'],
          ),
        ),
      },
      'second',
    );
    expect(audioOf(page.id).map(({ id }) => id)).toEqual([own?.id, theirs, first.audio?.blockId]);
    expect(audioOf(page.id)[0]).toMatchObject({
      audio: { external: { url: 'https://example.org/own.mp3' } },
    });
  });

  it('is put back when its block was deleted, and under the heading when the toggle was', async () => {
    const { request, page } = await published();
    const first = await again(request, page, {}, 'first');
    world.server.trash(first.audio?.blockId ?? '');
    const second = await again(request, first, {}, 'second');
    expect(beforeStudyText(page.id)?.id).toBe(second.audio?.blockId);
    world.server.trash(second.audio?.blockId ?? '');
    world.server.trash(world.server.blocksOf(page.id).find(({ type }) => type === 'toggle')?.id ?? '');
    await again(request, second, {}, 'third');
    const outline = world.server.outline(page.id);
    expect(outline[outline.findIndex((line) => line.includes('3. 🎧 Input Material')) + 1]).toMatch(/^audio/);
  });

  it('is uploaded in parts when it is large', async () => {
    const { request, page } = await published();
    const mp3 = Buffer.alloc(21 * 1_024 * 1_024, 7);
    const patient = world.publisher({ timeoutMs: 20_000 });
    await patient.publish({ ...request, previous: page }, { ...world.sound('large'), mp3 }, forever);
    expect(world.calls().filter((call) => call.startsWith('POST'))).toEqual([
      'POST /file_uploads',
      ...Array(3).fill('POST /file_uploads/:id/send'),
      'POST /file_uploads/:id/complete',
    ]);
    expect(world.server.uploaded().at(-1)?.bytes.equals(mp3)).toBe(true);
  });
});

describe('the properties', () => {
  const party = parsed(sampleLesson('street-party'));

  it('are those the database has, by their types', async () => {
    const students = world.server.givenDatabase('Students', { Who: { type: 'title' } });
    const mira = world.server.givenPage(students.sourceId, {
      Who: { title: [{ text: { content: 'Mira' } }] },
    });
    world.server.givenPage(students.sourceId, { Who: { title: [{ text: { content: 'Mirabel' } }] } });
    const rich = world.server.givenDatabase('Rich', {
      Titel: { type: 'title' },
      topic: { type: 'multi_select' },
      Student: { type: 'relation', dataSourceId: students.sourceId },
      Level: { type: 'select' },
      'Input type': { type: 'rich_text' },
      Status: { type: 'status', options: ['Ready'] },
    });
    const { page } = await published({ database: rich.id }, party);
    expect(world.server.page(page.id).properties).toMatchObject({
      Titel: { title: [{ plain_text: 'Homework: Planning a Street Party' }] },
      topic: { multi_select: [{ name: 'Suggestions and plans' }] },
      Student: { relation: [{ id: mira }] },
      Level: { select: { name: 'B2' } },
      'Input type': { rich_text: [{ plain_text: 'authentic' }] },
      Status: { status: { name: 'Ready' } },
    });
    expect(world.warnings).toEqual([]);
  });

  it('link no student rather than a wrong one', async () => {
    const students = world.server.givenDatabase('Twins', { Name: { type: 'title' } });
    for (let twin = 0; twin < 2; twin += 1)
      world.server.givenPage(students.sourceId, { Name: { title: [{ text: { content: 'Mira' } }] } });
    const database = world.server.givenDatabase('Linked', {
      Name: { type: 'title' },
      Student: { type: 'relation', dataSourceId: students.sourceId },
    });
    const { page } = await published({ database: database.id });
    expect(world.server.page(page.id).properties.Student).toMatchObject({ relation: [] });
    expect(world.warnings).toEqual(['notion_student_not_found']);
  });

  it('name a member of the workspace where the database wants people', async () => {
    const id = world.server.givenPerson('Mira');
    const database = world.server.givenDatabase('People', {
      Name: { type: 'title' },
      Student: { type: 'people' },
    });
    const { page } = await published({ database: database.id });
    expect(world.server.page(page.id).properties.Student).toMatchObject({ people: [{ id }] });
  });

  it('that the database does not have, or that do not fit, are left out and told', async () => {
    const lesson = parsed(
      parcelWith(['level: B1', 'level: B1\nproperties:\n  Status: Nonsense\n  Colour: red\n  Level: ""']),
    );
    await published({}, lesson);
    expect(world.warnings).toEqual(['notion_property_value', 'notion_property_unknown']);
  });

  it('are read again when the database has changed meanwhile', async () => {
    const database = world.server.givenDatabase('Changing', { ...FULL_SCHEMA });
    await published({ database: database.id });
    const { Level: _, ...rest } = FULL_SCHEMA;
    world.server.setSchema(database.sourceId, rest);
    const { page } = await published({ database: database.id });
    expect(world.server.page(page.id).properties.Level).toBeUndefined();
  });

  it('are written again only where they differ', async () => {
    const { request, page } = await published();
    const lesson = parsed(parcelWith(['level: B1', 'level: B2']));
    await again(request, page, { lesson });
    const [written] = world.server.requests.filter(
      ({ method, path }) => method === 'PATCH' && path.endsWith(page.id),
    );
    expect(written?.body).toEqual({ properties: { Level: { select: { name: 'B2' } } } });
  });
});

describe('the database', () => {
  it('is found by id, by the address in the browser, by its data source, and by name', async () => {
    const { id, sourceId } = world.database;
    const url = `https://www.notion.so/team/Homework-${id.replaceAll('-', '')}?v=1`;
    for (const database of [id, url, sourceId, 'homework']) {
      const { page } = await published({ database });
      expect(world.server.page(page.id).parent, database).toMatchObject({ data_source_id: sourceId });
    }
  });

  const refusal = async (over: Partial<PublishRequest>, as = publisher) => {
    const from = world.server.requests.length;
    const error = await as
      .publish(world.request(parcel, over), null, forever)
      .catch((thrown: unknown) => thrown);
    return { error, requests: world.server.requests.length - from };
  };

  it('must be named', async () => {
    const { error, requests } = await refusal({ database: null });
    expect(error).toMatchObject({ code: 'notion_database_missing', retryable: false });
    expect(requests).toBe(0);
  });

  it.each(['00000000-0000-4000-8000-000000000000', 'No such database'])(
    'must exist: %s',
    async (database) => {
      const { error, requests } = await refusal({ database });
      expect(error).toMatchObject({ code: 'notion_database_missing', retryable: false });
      expect(requests).toBeLessThanOrEqual(2);
    },
  );

  it('must have one data source, or the job must name one', async () => {
    const two = world.server.givenDatabase('Two', FULL_SCHEMA, ['Adults', 'Children']);
    const { error } = await refusal({ database: two.id });
    expect(error).toMatchObject({ code: 'notion_data_source_unclear', retryable: false });
    expect(String(error)).toContain(`Adults (${two.sourceIds[0]}), Children (${two.sourceIds[1]})`);
    await published({ database: two.sourceIds[1] ?? '' });
  });

  it('must stay shared with the integration', async () => {
    const database = world.server.givenDatabase('Taken away', FULL_SCHEMA);
    const { request, page } = await published({ database: database.id });
    world.server.unshare(database.id);
    const { error, requests } = await refusal({
      ...request,
      previous: page,
      lesson: parsed(parcelWithText('x')),
    });
    expect(error).toMatchObject({ code: 'notion_database_missing', retryable: false });
    expect(requests).toBeLessThanOrEqual(5);
  });

  it('is out of reach of a wrong or revoked token: one request, and no word of the token', async () => {
    const token = 'ntn_wrong_token_1234567890';
    const { error, requests } = await refusal({}, world.publisher({ token }));
    expect(error).toMatchObject({ code: 'notion_unauthorized', retryable: false });
    expect(requests).toBe(1);
    expect(JSON.stringify(error) + String(error)).not.toContain(token);
  });

  it('may forbid writing: one request more', async () => {
    world.server.fail({ kind: 'status', status: 403 }, { path: /pages$/, times: 10 });
    const { error } = await refusal({});
    expect(error).toMatchObject({ code: 'notion_not_shared', retryable: false });
    expect(
      world.server.requests.filter(({ path, status }) => path === '/v1/pages' && status === 403).length,
    ).toBeLessThanOrEqual(2);
  });

  it('tells in Notion’s words what it does not take', async () => {
    const lesson = parsed(parcelWithText(`:::synced-block ${crypto.randomUUID()}\n:::`));
    const { error } = await refusal({ lesson });
    expect(error).toMatchObject({ code: 'notion_not_shared', retryable: false });
  });
});
