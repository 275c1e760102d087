/** The only model that speaks dialogues. */
export const DIALOGUE_MODEL = 'eleven_v3';
export const DEFAULT_MODEL = 'eleven_multilingual_v2';

/** Credits a character costs; every model not named here costs one. */
const HALF_PRICE = /^eleven_(flash|turbo)_/;
export const creditsPerCharacter = (model: string): number => (HALF_PRICE.test(model) ? 0.5 : 1);

/** Version 3 refuses the text around a request, and ignores the speed. */
export const takesContext = (model: string): boolean => model !== DIALOGUE_MODEL;
