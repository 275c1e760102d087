// The block that plays the narration.
//   S1. It stands right before the study text, and is the only audio that is ever touched: a lesson's own stays.
//   S2. Another narration is put into the block that is there, by one request.

import type { BlockObjectRequest } from '@notionhq/client';
import { RunError } from '../../pipeline/run-error.ts';
import { type NotionBlock, studyTextIndex } from './block.ts';
import { isSame, type StandingBlock, wordsOf } from './block-sameness.ts';
import type { NotionApi } from './notion-api.ts';
import { appendOnce, listBlocks, type Place } from './write-blocks.ts';

/** A web address, or a file that Notion keeps itself. */
export type AudioSource =
  | { readonly external: { readonly url: string } }
  | { readonly file_upload: { readonly id: string } };

const PART_BYTES = 10 * 1024 * 1024;
/** Up to here a file is sent in one piece. */
const MAX_SINGLE_BYTES = 20 * 1024 * 1024;

/** Hands a file to Notion. What is uploaded and never used is dropped by Notion within the hour. */
export const uploadAudio = async (
  api: NotionApi,
  mp3: Uint8Array,
  filename: string,
): Promise<AudioSource> => {
  const content_type = 'audio/mpeg';
  const parts = mp3.byteLength <= MAX_SINGLE_BYTES ? 1 : Math.ceil(mp3.byteLength / PART_BYTES);
  const { id } = await api.ask((client) =>
    client.fileUploads.create(
      parts === 1
        ? { mode: 'single_part', filename, content_type }
        : { mode: 'multi_part', filename, content_type, number_of_parts: parts },
    ),
  );
  for (let part = 1; part <= parts; part += 1) {
    const bytes = parts === 1 ? mp3 : mp3.subarray((part - 1) * PART_BYTES, part * PART_BYTES);
    await api.ask((client) =>
      client.fileUploads.send({
        file_upload_id: id,
        file: { filename, data: new Blob([new Uint8Array(bytes)], { type: content_type }) },
        ...(parts > 1 && { part_number: String(part) }),
      }),
    );
  }
  if (parts > 1) await api.ask((client) => client.fileUploads.complete({ file_upload_id: id }));
  return { file_upload: { id } };
};

/** False when the block is gone. */
export const replaceAudio = async (
  api: NotionApi,
  blockId: string,
  source: AudioSource,
): Promise<boolean> => {
  const standing = await api
    .find((client) => client.blocks.update({ block_id: blockId, audio: source }))
    .catch((error: unknown) => {
      // A block in the trash cannot be edited, says Notion by a validation error.
      if (error instanceof RunError && error.code === 'notion_rejected') return null;
      throw error;
    });
  return standing !== null;
};

type Spot = { readonly place: Place; readonly ours: string | null };

const textOf = ({ value }: StandingBlock): string => {
  const runs = Array.isArray(value.rich_text) ? (value.rich_text as { plain_text?: string }[]) : [];
  return runs.map((run) => run.plain_text ?? '').join('');
};

const isStudyText = (each: StandingBlock) => each.type === 'toggle' && textOf(each).trim() === 'study-text';
const isInputHeading = (each: StandingBlock) =>
  /^heading_/.test(each.type) && /^\W*3\.\W*input material/i.test(textOf(each));

/** Before the study text; without one, under its section's heading; at the start at last. */
const spotOn = (standing: readonly StandingBlock[], wanted: readonly NotionBlock[]): Spot => {
  const toggle = standing.findIndex(isStudyText);
  const heading = standing.findIndex(isInputHeading);
  const before = toggle >= 0 ? toggle - 1 : heading;
  // What an answer that was lost has left: an audio just there, by who made the blocks beside it, and not the lesson's own.
  const candidate = standing[toggle >= 0 ? before : heading + 1];
  const own = wanted[studyTextIndex(wanted) - 1];
  const isOurs =
    candidate?.type === 'audio' &&
    candidate.madeBy === (standing[toggle] ?? standing[heading])?.madeBy &&
    !(own && (isSame(own, candidate) || wordsOf(own) === wordsOf(candidate)));
  return { place: standing[before]?.id ?? null, ours: isOurs ? candidate.id : null };
};

/** Puts the narration on a page that has none of ours yet; the id of its block. */
export const insertAudio = async (
  api: NotionApi,
  pageId: string,
  wanted: readonly NotionBlock[],
  source: AudioSource,
): Promise<string | null> => {
  const standing = await listBlocks(api, pageId);
  if (!standing) return null;
  const { place, ours } = spotOn(standing, wanted);
  if (ours && (await replaceAudio(api, ours, source))) return ours;
  const type = 'external' in source ? 'external' : 'file_upload';
  const audio = { type: 'audio', audio: { type, ...source } } as BlockObjectRequest;
  const [id] = await appendOnce(api, pageId, [audio], place);
  return id ?? null;
};
