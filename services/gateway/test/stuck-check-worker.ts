import { parentPort } from 'node:worker_threads';
import type { CheckTask } from '../src/uploads/check-lesson-worker.ts';

// The real checking thread, except that it never ends with a file named stuck.md.

parentPort?.on('message', ({ name }: CheckTask) => {
  while (name === 'stuck.md');
});
await import('../src/uploads/check-lesson-worker.ts');
