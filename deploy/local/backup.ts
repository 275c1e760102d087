import { runCommand } from './backup-command.ts';
import { backUp } from './mongo-backup.ts';

await runCommand(backUp);
