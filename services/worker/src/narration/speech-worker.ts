import { parentPort } from 'node:worker_threads';
import { assemble, type SpokenPart } from './assemble.ts';
import { type FliteSound, loadFlite, speakWithFlite } from './flite.ts';
import { encodeMp3 } from './mp3.ts';

// The thread where speech is made and encoded, one task at a time. It keeps no state between tasks.

export type SpeakTask = { readonly kind: 'speak'; readonly text: string; readonly sound: FliteSound };

export type EncodeTask = {
  readonly kind: 'encode';
  readonly parts: readonly SpokenPart[];
  readonly sampleRate: number;
  readonly tailMs: number;
  readonly title: string;
};

export type SpeechTask = SpeakTask | EncodeTask;

export type SpeechAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };

const port = parentPort;
if (!port) throw new Error('the speech worker runs only as a thread');

let flite: Promise<WebAssembly.Module> | undefined;

const perform = async (task: SpeechTask): Promise<{ value: unknown; owned: ArrayBuffer }> => {
  if (task.kind === 'speak') {
    flite ??= loadFlite();
    const samples = speakWithFlite(await flite, task.text, task.sound);
    return { value: samples, owned: samples.buffer as ArrayBuffer };
  }
  const track = assemble(task.parts, task.sampleRate, task.tailMs);
  const { bytes, durationMs } = await encodeMp3(track, task.title);
  return {
    value: { mp3: bytes, durationMs, spans: track.spans, skippedMs: track.skippedMs },
    owned: bytes.buffer,
  };
};

port.on('message', async ({ id, task }: { id: number; task: SpeechTask }) => {
  try {
    const { value, owned } = await perform(task);
    port.postMessage({ id, ok: true, value } satisfies SpeechAnswer, [owned]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ id, ok: false, message } satisfies SpeechAnswer);
  }
});
