import { createServer } from 'node:http';

/** Stands in for a service: serves /readyz on ADMIN_PORT, and tells on standard output when it is asked to stop. */
createServer((_, response) => response.end('ok')).listen(Number(process.env.ADMIN_PORT), '127.0.0.1');
process.stdin.resume().once('end', () => process.exit(0));
process.once('SIGTERM', () => {
  console.log('asked to stop');
  process.exit(0);
});
