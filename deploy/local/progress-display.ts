import type { Job } from '@esl-pipeline/contracts';

const MARK: Readonly<Record<string, string>> = {
  pending: '·',
  running: '▸',
  succeeded: '✓',
  skipped: '–',
  failed: '✗',
  cancelled: '✗',
};

const lineOf = (name: string, job: Job | null): string => {
  if (!job) return `${name}  waiting`;
  const { progress } = job;
  const steps = job.steps.map((step) => {
    const count = progress?.step === step.name && step.state === 'running' && progress.total > 0;
    return `${MARK[step.state] ?? '?'} ${step.name}${count ? ` ${progress.done}/${progress.total}` : ''}`;
  });
  return `${name}  ${job.state}${steps.length > 0 ? `  ${steps.join('  ')}` : ''}`;
};

/** One line a lesson: redrawn in place on a terminal, otherwise written anew whenever it changes. */
export const progressDisplay = (names: readonly string[], out: NodeJS.WriteStream) => {
  const width = Math.max(...names.map(({ length }) => length));
  const jobs = new Map<string, Job>();
  const shown = new Map<string, string>();
  let drawn = false;
  const cut = (line: string) => (out.isTTY ? line.slice(0, Math.max(out.columns - 1, 20)) : line);
  const draw = () => {
    const lines = names.map(
      (name) => [name, cut(lineOf(name.padEnd(width), jobs.get(name) ?? null))] as const,
    );
    if (out.isTTY) {
      if (drawn) out.write(`\u001b[${names.length}A`);
      for (const [, line] of lines) out.write(`\u001b[2K${line}\n`);
    } else {
      for (const [name, line] of lines) if (shown.get(name) !== line) out.write(`${line}\n`);
    }
    for (const [name, line] of lines) shown.set(name, line);
    drawn = true;
  };
  return {
    draw,
    update: (name: string, job: Job) => {
      jobs.set(name, job);
      draw();
    },
  };
};
