/** A place in one life of the stream: the last event that a client has seen. */
export type Position = { readonly epoch: string; readonly seq: number };

const EVENT_ID = /^([0-9a-z]{1,16})-(\d{1,15})$/;

/** Null for what is no event id of ours. */
export const readEventId = (text: string): Position | null => {
  const [, epoch, seq] = EVENT_ID.exec(text) ?? [];
  return epoch === undefined ? null : { epoch, seq: Number(seq) };
};
