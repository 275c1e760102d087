/** Leaves out what is null or undefined: protobuf has neither, and an unset field is the same thing. */
export const said = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as {
    [K in keyof T as Extract<T[K], null | undefined> extends never ? K : never]: T[K];
  } & {
    [K in keyof T as Extract<T[K], null | undefined> extends never ? never : K]?: NonNullable<T[K]>;
  };
