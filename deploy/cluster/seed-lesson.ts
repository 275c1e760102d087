/** Submits a sample lesson to a running gateway, and says where its page and its audio are. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openGateway } from './gateway-client.ts';

const POLL_MS = 500;
const LESSON = fileURLToPath(new URL('../../docs/lessons/the-lost-parcel.md', import.meta.url));

const [url = 'http://127.0.0.1:8080'] = process.argv.slice(2);
const client = await openGateway(url);
const { jobId } = (await client.request('POST', '/jobs', {
  md: await client.upload(LESSON),
  withTts: true,
})) as { jobId: string };
let job = await client.job(jobId);
while (!job.finishedAt) {
  await delay(POLL_MS);
  job = await client.job(jobId);
}
console.log(
  `${job.state}${job.error ? `: ${job.error}` : ''}\n${job.links.page ?? ''}\n${job.links.audio ?? ''}`,
);
process.exit(job.state === 'succeeded' ? 0 : 1);
