import { runService } from '@esl/kit/service';
import { loadConfig } from './config.ts';
import { startActions } from './start.ts';

await runService('actions', loadConfig, startActions);
