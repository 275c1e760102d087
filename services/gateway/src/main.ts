import { runService } from '@esl/kit/service';
import { loadConfig } from './config.ts';
import { startGateway } from './start.ts';

await runService('gateway', loadConfig, startGateway);
