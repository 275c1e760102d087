import type { LessonReport } from '@esl-pipeline/contracts';

/** What a lesson's validation says, for people at a terminal. */
export const planText = (name: string, file: string, { ok, findings, plan }: LessonReport): string => {
  const found = findings.map(
    ({ severity, line, code, message }) => `  ${file}:${line} ${severity} ${code}: ${message}`,
  );
  if (!plan) return [`${name}: ${ok ? 'fine' : 'cannot be run'}`, ...found].join('\n');
  const { mode, segments, characters, estimatedCost, blocks, cast } = plan;
  const price = estimatedCost === 0 ? 'for free' : `about ${Math.ceil(estimatedCost)} credits`;
  return [
    `${name}: a run would`,
    ...found,
    `  publish  a page of ${blocks} blocks`,
    `  narrate  a ${mode} of ${segments} segments, ${characters} characters, ${price}`,
    ...cast.map(
      ({ speaker, voiceName, source }) =>
        `  cast     ${speaker} by ${voiceName} (${SOURCES[source] ?? source})`,
    ),
  ].join('\n');
};

/** How each voice was come by, in words. */
const SOURCES: Readonly<Record<string, string>> = {
  profile: 'named in the lesson',
  voiceMap: 'named in voices.yml or the student’s profile',
  default: 'the usual voice',
  auto: 'fits best',
  fallback: 'was free',
  reuse: 'shared, there are too few voices',
};
