/** The entry point of the image: runs the service named by the argument. */
const SERVICES = ['gateway', 'jobs', 'actions', 'config', 'worker'];

const [service = ''] = process.argv.slice(2);
if (SERVICES.includes(service)) {
  await import(new URL(`../services/${service}/src/main.ts`, import.meta.url).href);
} else {
  console.error(`usage: serve.ts ${SERVICES.join('|')}`);
  process.exitCode = 2;
}
