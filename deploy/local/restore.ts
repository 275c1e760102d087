import { runCommand } from './backup-command.ts';
import { restore } from './mongo-backup.ts';

await runCommand(restore);
