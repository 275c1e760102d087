// What Notion's API takes in one request (developers.notion.com/reference/request-limits), and what we make of it.

/** Characters of one piece of text or of an address, counted in UTF-16 code units. */
export const MAX_TEXT = 2_000;
export const MAX_URL = 2_000;

/** Pieces of text in one block, cell or property. */
export const MAX_RUNS = 100;

/** Blocks under one parent, in one request. */
export const MAX_CHILDREN = 100;

/** Blocks inside one another in one request: a block, its children, and theirs. */
export const MAX_TIERS = 3;

/** Blocks in one request, nested ones included. */
export const MAX_BLOCKS = 1_000;

/** Notion refuses a body over 500 KB. Properties and punctuation have room in what is left. */
export const MAX_BODY_BYTES = 440_000;

/**
 * Code units of one block's text. Not Notion's limit: a block is sent whole, and one unit may take six bytes of JSON,
 * so that a block stays under half a body.
 */
export const MAX_BLOCK_TEXT = 30_000;

/** Options of one multi-select or pages of one relation, and characters of an option's name. */
export const MAX_OPTIONS = 100;
export const MAX_OPTION_NAME = 100;

export const PAGE_SIZE = 100;
