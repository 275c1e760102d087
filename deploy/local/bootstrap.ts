/** Every command of `npm start`, `npm run demo`, `npm test` and so on. Each is a script that reads its arguments. */
const COMMANDS: Readonly<Record<string, string>> = {
  start: './start.ts',
  demo: './demo.ts',
  check: './check.ts',
  bench: '../../bench/run.ts',
  'cluster-check': '../cluster/check.ts',
  generate: './generate.ts',
  admin: './admin.ts',
  keys: './keys.ts',
  backup: './backup.ts',
  restore: './restore.ts',
};

const [command = '', ...args] = process.argv.slice(2);
const entry = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;

if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(
    `Node ${process.versions.node} is too old: 24 or newer is needed. "npm ${command}" brings its own.`,
  );
  process.exitCode = 1;
} else if (!entry) {
  console.error(`usage: node deploy/local/bootstrap.ts ${Object.keys(COMMANDS).join('|')} [arguments]`);
  process.exitCode = 2;
} else {
  const { installDependencies } = await import('./install.ts');
  if (await installDependencies()) {
    const url = new URL(entry, import.meta.url);
    process.argv.splice(1, Infinity, url.pathname, ...args);
    await import(url.href);
  } else {
    process.exitCode = 1;
  }
}
