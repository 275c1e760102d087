// The parts of the WebAssembly JavaScript API used here: Node has it, but only TypeScript's DOM library declares it.
// biome-ignore lint/style/noNamespace: only a namespace can declare this global
declare namespace WebAssembly {
  class Module {
    private readonly brand;
  }
  class Memory {
    readonly buffer: ArrayBuffer;
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  function compile(bytes: Uint8Array): Promise<Module>;
}
