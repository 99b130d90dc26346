// Runs the kit and prints its report: each promise, and whether it is kept.
//   node kit.mjs ENDPOINT

import { formatReport, runKit } from '@sluice/backend-test-kit';
import { backend } from './src/index.ts';
import { parseConfig } from '@sluice/core/backend';

const endpoint = process.argv[2];
const { config } = parseConfig(backend, { endpoint, path: 'unused' });

const report = await runKit({
  name: `http at ${endpoint}`,
  layout: 'tree',
  capabilities: {},
  hooks: [],
  partSizeBytes: 65_536,
  secrets: [],
  open: async () => ({
    connect: (access) => backend.connect(config, { access, logger: console }),
    newPath: () => `kit-${crypto.randomUUID()}`,
    stop: async () => undefined,
  }),
});
console.log(formatReport(report));
process.exitCode = report.isPassed ? 0 : 1;
