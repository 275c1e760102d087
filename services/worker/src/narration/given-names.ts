import type { Gender } from './voice.ts';

/** Names and words for people that lessons use. Names given to both, such as Alex or Sam, are left out on purpose. */
const FEMALE = `
  alice amanda amelia amy ana andrea angela anita ann anna anne annie barbara beatrice bella betty camila carla
  carol catherine charlotte chloe christine claire clara daisy daria diana eleanor elena elizabeth ella emily emma
  eva eve fatima fiona freya gabriela grace hannah helen holly ines ingrid irene isabel isabella ivy jane janet
  jennifer jessica joan judy julia julie karen kate katherine katie laura leila lena lily linda lisa liz lola
  lucia lucy maria marie martha mary matilda maya megan mia mira molly monica nadia nancy natalie nina nora olga
  olivia patricia paula penny phoebe polina priya rachel rebecca rita rosa rose ruth sara sarah sofia sophia
  sophie susan svetlana tanya tara tatiana teresa tina ursula valentina vera victoria violet wendy yuki zara zoe
  mrs ms miss madam mum mom mother grandma aunt sister daughter wife woman girl lady waitress actress queen
  анна мария ольга елена наталья ирина екатерина татьяна светлана юлия дарья`;

const MALE = `
  aaron adam ahmed alan albert alexander ali andrew anthony antonio arthur ben benjamin bernard bill bob boris brian
  bruce callum carl carlos charlie chris clyde colin daniel dave david dennis diego dmitry dylan ed edward eric
  ethan felix frank fred gary george giovanni graham greg harry henry hiroshi hugo ian igor isaac ivan jack jacob
  jake james jason jeff jim joe john jonathan jose joseph josh juan karl ken kevin kenji leo liam lucas luis luke
  marco marcus mark martin matt matthew max michael mike mohammed nathan neil nick nikolai noah oleg oliver omar
  oscar owen pablo patrick paul pedro pete peter philip pierre rafael raj ravi richard rob robert roger roman ron
  ryan sean sergei simon stephen steve stuart ted theo thomas tim tom tony victor vladimir walter will william
  mr sir dad father grandpa uncle brother son husband man boy gentleman waiter actor king
  иван сергей алексей андрей дмитрий михаил николай павел пётр владимир`;

const GENDERS = new Map<string, Gender>([
  ...MALE.trim()
    .split(/\s+/)
    .map((name) => [name, 'male'] as const),
  ...FEMALE.trim()
    .split(/\s+/)
    .map((name) => [name, 'female'] as const),
]);

/** The gender a speaker's name suggests, by its first word; undefined when it could be either. */
export const genderOfName = (speaker: string): Gender | undefined =>
  GENDERS.get(
    speaker
      .toLowerCase()
      .split(/[\s_.-]+/)
      .find((word) => word !== '') ?? '',
  );
