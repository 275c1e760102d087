import { runService } from '@esl/kit/service';
import { loadConfig } from './config.ts';
import { startWorker } from './start.ts';

await runService('worker', loadConfig, startWorker);
