// Just enough WASI (preview 1) to run a batch program on files in memory.
//   W1. The program sees its arguments and the given files, nothing else: no disk, no environment, no clock.
//   W2. The same input gives the same output, since nothing it can ask for ever varies.
//   W3. What it may write is bounded; past the limit the run throws.
// `node:wasi` would need a temporary folder, warns that it is experimental, and promises no isolation.

export type MemoryRun = {
  readonly exitCode: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The end of what it printed. */
  readonly printed: string;
};

type MemoryFile = { bytes: Uint8Array; size: number };
type OpenFile = { readonly file: MemoryFile; position: number };

const OK = 0;
const BAD_DESCRIPTOR = 8;
const NO_SUCH_FILE = 44;
const NOT_SEEKABLE = 70;
const ROOT_DESCRIPTOR = 3;
const CREATE = 1;
const TRUNCATE = 8;
const APPEND = 1;
const DIRECTORY = 3;
const REGULAR_FILE = 4;
const CHARACTER_DEVICE = 2;
const ALL_RIGHTS = 0x1fff_ffffn;
const MAX_PRINTED = 2_000;

/** Thrown through the program's frames to end it, as `proc_exit` must not return. */
class Exit {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

/** Runs a command module. Throws what the program traps with, and a RangeError when a file outgrows the limit. */
export const runInMemory = (
  module: WebAssembly.Module,
  args: readonly string[],
  input: Readonly<Record<string, Uint8Array>>,
  maxFileBytes: number,
): MemoryRun => {
  const files = new Map<string, MemoryFile>(
    Object.entries(input).map(([name, bytes]) => [name, { bytes, size: bytes.length }]),
  );
  const open = new Map<number, OpenFile>();
  const argv = args.map((arg) => new TextEncoder().encode(`${arg}\0`));
  const decoder = new TextDecoder();
  let nextDescriptor = ROOT_DESCRIPTOR + 1;
  let printed = '';
  let memory: WebAssembly.Memory | undefined;

  const bytes = () => new Uint8Array(memory?.buffer ?? new ArrayBuffer(0));
  const setU32 = (at: number, value: number) => new DataView(bytes().buffer).setUint32(at, value, true);
  const setU64 = (at: number, value: bigint) => new DataView(bytes().buffer).setBigUint64(at, value, true);
  const vectors = (at: number, count: number) =>
    Array.from({ length: count }, (_, index) => {
      const view = new DataView(bytes().buffer);
      const start = view.getUint32(at + index * 8, true);
      return bytes().subarray(start, start + view.getUint32(at + index * 8 + 4, true));
    });

  const write = (target: OpenFile, data: Uint8Array) => {
    const { file, position } = target;
    const end = position + data.length;
    if (end > maxFileBytes) throw new RangeError('the program wrote more than it may');
    if (end > file.bytes.length) {
      const grown = new Uint8Array(Math.max(end, file.bytes.length * 2, 1 << 16));
      grown.set(file.bytes.subarray(0, file.size));
      file.bytes = grown;
    }
    file.bytes.set(data, position);
    file.size = Math.max(file.size, end);
    target.position = end;
  };

  const wasi = {
    args_sizes_get: (count: number, size: number) => {
      setU32(count, argv.length);
      setU32(
        size,
        argv.reduce((total, arg) => total + arg.length, 0),
      );
      return OK;
    },
    args_get: (pointers: number, buffer: number) => {
      let at = buffer;
      for (const [index, arg] of argv.entries()) {
        setU32(pointers + index * 4, at);
        bytes().set(arg, at);
        at += arg.length;
      }
      return OK;
    },
    clock_time_get: (_clock: number, _precision: bigint, out: number) => {
      setU64(out, 0n);
      return OK;
    },
    fd_prestat_get: (fd: number, out: number) => {
      if (fd !== ROOT_DESCRIPTOR) return BAD_DESCRIPTOR;
      setU32(out, 0);
      setU32(out + 4, 1);
      return OK;
    },
    fd_prestat_dir_name: (_fd: number, path: number) => {
      bytes().set(new TextEncoder().encode('/'), path);
      return OK;
    },
    path_open: (
      _directory: number,
      _lookup: number,
      path: number,
      length: number,
      how: number,
      _rights: bigint,
      _inherited: bigint,
      flags: number,
      out: number,
    ) => {
      const name = decoder.decode(bytes().slice(path, path + length));
      const file = files.get(name) ?? { bytes: new Uint8Array(0), size: 0 };
      if (!files.has(name) && !(how & CREATE)) return NO_SUCH_FILE;
      files.set(name, file);
      if (how & TRUNCATE) file.size = 0;
      open.set(nextDescriptor, { file, position: flags & APPEND ? file.size : 0 });
      setU32(out, nextDescriptor++);
      return OK;
    },
    fd_close: (fd: number) => (open.delete(fd) ? OK : BAD_DESCRIPTOR),
    fd_fdstat_get: (fd: number, out: number) => {
      if (fd > ROOT_DESCRIPTOR && !open.has(fd)) return BAD_DESCRIPTOR;
      bytes().fill(0, out, out + 24);
      bytes()[out] = open.has(fd) ? REGULAR_FILE : fd === ROOT_DESCRIPTOR ? DIRECTORY : CHARACTER_DEVICE;
      setU64(out + 8, ALL_RIGHTS);
      setU64(out + 16, ALL_RIGHTS);
      return OK;
    },
    fd_fdstat_set_flags: () => OK,
    fd_read: (fd: number, at: number, count: number, out: number) => {
      const source = open.get(fd);
      let total = 0;
      for (const into of source ? vectors(at, count) : []) {
        if (!source) break;
        const { file, position } = source;
        const part = file.bytes.subarray(position, Math.min(position + into.length, file.size));
        into.set(part);
        source.position += part.length;
        total += part.length;
      }
      setU32(out, total);
      return OK;
    },
    fd_write: (fd: number, at: number, count: number, out: number) => {
      const target = open.get(fd);
      let total = 0;
      for (const data of vectors(at, count)) {
        if (target) write(target, data);
        else printed = (printed + decoder.decode(data)).slice(-MAX_PRINTED);
        total += data.length;
      }
      setU32(out, total);
      return OK;
    },
    fd_seek: (fd: number, offset: bigint, whence: number, out: number) => {
      const target = open.get(fd);
      if (!target) return NOT_SEEKABLE;
      const base = [0, target.position, target.file.size][whence] ?? 0;
      target.position = Math.max(0, base + Number(offset));
      setU64(out, BigInt(target.position));
      return OK;
    },
    proc_exit: (code: number) => {
      throw new Exit(code);
    },
  };

  const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi });
  memory = exports.memory as WebAssembly.Memory;
  let exitCode = 0;
  try {
    (exports._start as () => void)();
  } catch (thrown) {
    if (!(thrown instanceof Exit)) throw thrown;
    exitCode = thrown.code;
  }
  const written = [...files].map(([name, { bytes, size }]) => [name, bytes.subarray(0, size)] as const);
  return { exitCode, files: new Map(written), printed };
};
