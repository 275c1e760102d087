export * from './error.ts';
export * from './job.ts';
export * from './job-actions.ts';
export * from './job-events.ts';
export * from './job-options.ts';
export * from './lessons.ts';
export * from './submit-job.ts';
export * from './webhooks.ts';
