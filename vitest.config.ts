import { defineConfig } from 'vitest/config';

const exclude = ['**/node_modules/**', '**/dist/**', '**/.esl/**'];

/** `unit` needs nothing; `integration` and `e2e` get real servers (services/kit/testing/servers.ts). */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['services/*/src/**/*.spec.ts', 'contracts/**/*.spec.ts'], exclude },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: [
            'services/*/test/**/*.spec.ts',
            'deploy/**/*.spec.ts',
            'e2e/**/*.spec.ts',
            'docs/**/*.spec.ts',
          ],
          exclude,
          globalSetup: ['./services/kit/testing/servers.ts'],
        },
      },
    ],
  },
});
