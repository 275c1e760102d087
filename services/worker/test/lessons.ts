import { readFile } from 'node:fs/promises';

export const sample = (name: string): Promise<string> =>
  readFile(new URL(`../../../docs/lessons/${name}.md`, import.meta.url), 'utf8');

/** The sample dialogue with other turns, by its two speakers in turn. */
export const dialogueOf = async (turns: readonly string[]): Promise<string> => {
  const spoken = turns.map((turn, index) => `${index % 2 === 0 ? 'Ines' : 'Paul'}: ${turn}`).join('\n');
  return (await sample('the-lost-parcel')).replace(/(:::study-text[^\n]*\n)[\s\S]*?(\n:::)/, `$1${spoken}$2`);
};

/** Takes the local narrator a second or more, so that there is a middle to break into. */
export const longDialogue = (marker: string, turns = 20): Promise<string> =>
  dialogueOf(
    Array.from(
      { length: turns },
      (_, index) =>
        `This is sentence number ${index} of ${marker}, and it goes on for a good while, because a long sentence takes longer to speak.`,
    ),
  );
