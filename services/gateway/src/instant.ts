import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt';

/** An ISO 8601 time that was checked before, as protobuf has it. */
export const instant = (text: string | undefined): Timestamp | undefined =>
  text === undefined ? undefined : timestampFromDate(new Date(text));
