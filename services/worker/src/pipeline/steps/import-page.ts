import { type Page, pageSchema } from '../../publisher/publisher.ts';
import { hashOf, lessonIdOf, pageOf } from '../checkpoint.ts';
import { soundOnPage } from '../page-sound.ts';
import { writePageState } from '../page-state.ts';
import { need, type Ports, type Results, type StepSpec } from '../run.ts';

/** What a page is made from: while this stays, so does the page. */
export const importHash = (
  { publisher }: Pick<Ports, 'publisher'>,
  { mdHash, settings }: Pick<Results['validate'], 'mdHash' | 'settings'>,
): string =>
  hashOf({
    publisher: publisher.name,
    mdHash,
    colours: settings.preset?.colours ?? {},
    database: settings.notionDatabase,
  });

/** Makes the page, or makes the parent job's page anew when something it shows has changed. */
export const importPage: StepSpec<'import'>['run'] = async (run, { signal }) => {
  const { job, ports, checkpoint } = run;
  const validated = need(run, 'validate');
  const { lesson, settings } = validated;
  if (ports.publisher.notice) run.warn(ports.publisher.notice);

  const inputHash = importHash(ports, validated);
  const kept = checkpoint.kept('import', inputHash, pageSchema);
  if (kept && (await ports.publisher.exists(kept, signal)))
    return { output: kept, detail: `the page${where(kept)} is up to date`, inputHash };

  const manifest = checkpoint.manifest();
  const lessonId = lessonIdOf(manifest, job);
  // What was kept and is gone is no page any more.
  const previous = kept ? null : pageOf(manifest);
  const sound = await soundOnPage(manifest, ports.blobs, signal);
  ports.checkLease();
  const request = {
    lessonId,
    previous,
    isRepeat: job.attempt > 1 || lessonId !== job.id,
    lesson,
    colours: settings.preset?.colours ?? {},
    database: settings.notionDatabase,
    warn: run.warn,
  };
  const page = await ports.publisher.publish(request, sound, signal);
  checkpoint.update({ lessonId, pageId: page.id, publisher: page.publisher });
  if (job.parentJobId) {
    const state = { steps: { import: { inputHash, output: page } }, ...(sound && { audio: manifest.audio }) };
    await writePageState(ports.blobs, lessonId, state, signal);
  }
  const isSame = previous?.id === page.id;
  return { output: page, detail: `page made${isSame ? ' anew' : ''}${where(page)}`, inputHash };
};

const where = ({ publisher }: Page): string => (publisher === 'notion' ? ' in Notion' : '');
