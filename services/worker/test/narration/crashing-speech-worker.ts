import '../../src/narration/speech-worker.ts';
import { existsSync, writeFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

// The real speech thread, except that certain words kill or stop it. "die once <file>" spares the threads that
// come after the first: that one leaves the file behind.

parentPort?.on('message', ({ task }: { task: { text?: string } }) => {
  if (task.text === 'die always') process.exit(3);
  const [, mark] = /^die once (.+)$/.exec(task.text ?? '') ?? [];
  if (mark && !existsSync(mark)) {
    writeFileSync(mark, '');
    process.exit(3);
  }
  while (task.text === 'hang');
});
