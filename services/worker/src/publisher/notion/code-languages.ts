/** The languages Notion knows. Another word is refused by the API. */
const LANGUAGES: ReadonlySet<string> = new Set(
  (
    'abap,abc,agda,arduino,ascii art,assembly,bash,basic,bnf,c,c#,c++,clojure,coffeescript,coq,css,dart,dhall,diff,' +
    'docker,ebnf,elixir,elm,erlang,f#,flow,fortran,gherkin,glsl,go,graphql,groovy,haskell,hcl,html,idris,java,' +
    'javascript,json,julia,kotlin,latex,less,lisp,livescript,llvm ir,lua,makefile,markdown,markup,matlab,' +
    'mathematica,mermaid,nix,notion formula,objective-c,ocaml,pascal,perl,php,plain text,powershell,prolog,protobuf,' +
    'purescript,python,r,racket,reason,ruby,rust,sass,scala,scheme,scss,shell,smalltalk,solidity,sql,swift,toml,' +
    'typescript,vb.net,verilog,vhdl,visual basic,webassembly,xml,yaml,java/c/c++/c#'
  ).split(','),
);

/** What people write after a fence, where Notion says it otherwise. */
const ALIASES: Readonly<Record<string, string>> = {
  js: 'javascript',
  jsx: 'javascript',
  mjs: 'javascript',
  node: 'javascript',
  ts: 'typescript',
  tsx: 'typescript',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  kt: 'kotlin',
  cs: 'c#',
  csharp: 'c#',
  cpp: 'c++',
  fsharp: 'f#',
  objc: 'objective-c',
  sh: 'shell',
  zsh: 'shell',
  console: 'shell',
  ps1: 'powershell',
  yml: 'yaml',
  md: 'markdown',
  htm: 'html',
  svg: 'xml',
  tex: 'latex',
  dockerfile: 'docker',
  proto: 'protobuf',
  golang: 'go',
  wasm: 'webassembly',
  vb: 'visual basic',
  make: 'makefile',
  terraform: 'hcl',
};

export const codeLanguage = (word: string | null | undefined): string => {
  const name = (word ?? '').toLowerCase();
  if (LANGUAGES.has(name)) return name;
  return Object.hasOwn(ALIASES, name) ? (ALIASES[name] ?? 'plain text') : 'plain text';
};
