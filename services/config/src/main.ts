import { runService } from '@esl/kit/service';
import { loadConfig } from './config.ts';
import { startConfig } from './start.ts';

await runService('config', loadConfig, startConfig);
