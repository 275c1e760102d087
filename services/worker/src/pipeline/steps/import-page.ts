import { pageSchema } from '../../publisher/publisher.ts';
import { hashOf } from '../checkpoint.ts';
import { soundOnPage } from '../page-sound.ts';
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
  if (kept && (await ports.publisher.exists(kept.id, signal)))
    return { output: kept, detail: 'the page is up to date', inputHash };

  const manifest = checkpoint.manifest();
  const pageId = manifest.pageId ?? null;
  const sound = pageId && (await soundOnPage(manifest, ports.blobs, signal));
  ports.checkLease();
  const request = {
    jobId: job.id,
    pageId,
    lesson,
    colours: settings.preset?.colours ?? {},
    database: settings.notionDatabase,
  };
  const page = await ports.publisher.publish(request, sound || null, signal);
  checkpoint.update({ pageId: page.id });
  return { output: page, detail: pageId ? 'page made anew' : 'page made', inputHash };
};
