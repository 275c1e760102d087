import { parentPort } from 'node:worker_threads';
import { checkLesson, type SentFile } from './check-lesson.ts';

// The thread where large files are checked, one at a time. What is thrown ends it, and is a fault.

/** Bytes that went from thread to thread are no Buffer any more. */
export type CheckTask = Omit<SentFile, 'bytes'> & { readonly bytes: Uint8Array };

const port = parentPort;
if (!port) throw new Error('lessons are checked here only as a thread');

port.on('message', ({ bytes, ...file }: CheckTask) => {
  port.postMessage(
    checkLesson({ ...file, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }),
  );
});
