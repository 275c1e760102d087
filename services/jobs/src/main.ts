import { runService } from '@esl/kit/service';
import { loadConfig } from './config.ts';
import { startJobs } from './start.ts';

await runService('jobs', loadConfig, startJobs);
