import { generateInto } from './generated-code.ts';

await generateInto(new URL('../../contracts/gen', import.meta.url));
