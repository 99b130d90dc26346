// The pages of the documentation, in the order of the site's navigation. `file` is a path in the repository, `page` its
// path on the site. Files of other folders get a place there too, so that links to them stay on the site.

import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './root.mjs';

/** Pages without a link in the navigation; decisions/index.md lists them. */
const DECISIONS = fs
  .readdirSync(path.join(ROOT, 'docs', 'decisions'))
  .filter((name) => name.endsWith('.md') && !name.startsWith('0000'))
  .sort();

const own = (name, title) => ({ file: `docs/${name}.md`, page: `${name}.md`, title });
const backend = (name, title) => ({
  file: `packages/${name}/README.md`,
  page: `backends/${name}.md`,
  title,
});

export const GROUPS = [
  {
    title: 'Start',
    pages: [
      { file: 'README.md', page: 'index.md', title: 'Overview' },
      own('start', 'Five-minute start'),
      own('coming-from-litestream', 'Coming from Litestream'),
      own('library', 'Inside a Node application'),
    ],
  },
  {
    title: 'Use',
    pages: [
      own('configuration', 'Configuration'),
      backend('s3', 'S3'),
      backend('gcs', 'Google Cloud Storage'),
      backend('azure', 'Azure Blob Storage'),
      backend('sftp', 'SFTP'),
      backend('file', 'Folder'),
      own('retention', 'Retention'),
      own('encryption', 'Encryption'),
      own('warm-copy', 'Warm copy'),
      own('cost', 'Cost'),
    ],
  },
  {
    title: 'Operate',
    pages: [
      own('recover', 'Recover a lost database'),
      own('operations', 'Operations'),
      own('metrics', 'Health, metrics and alerts'),
      own('page', 'The page'),
      own('runbook', 'Runbook'),
      own('one-writer', 'One writer'),
      own('repair', 'Repair'),
      own('limits', 'Limits'),
      own('security', 'Security'),
    ],
  },
  {
    title: 'Reference',
    pages: [
      { file: 'apps/cli/README.md', page: 'command-line.md', title: 'Command line tool' },
      own('commands', 'Commands'),
      own('errors', 'Errors'),
      own('format', 'Format'),
      { file: 'apps/dashboard/README.md', page: 'dashboard.md', title: 'Page for applications' },
      { file: 'BENCHMARKS.md', page: 'benchmarks.md', title: 'Benchmarks' },
    ],
  },
  {
    title: 'Develop',
    pages: [
      own('write-a-backend', 'Write a backend'),
      {
        file: 'packages/backend-test-kit/README.md',
        page: 'backends/test-kit.md',
        title: 'Test kit',
      },
      {
        file: 'packages/create-backend/README.md',
        page: 'backends/create.md',
        title: 'A new backend',
      },
      { file: 'ARCHITECTURE.md', page: 'architecture.md', title: 'Architecture' },
      { file: 'packages/core/src/replicate/SPEC.md', page: 'sending.md', title: 'Sending' },
      { file: 'CONTRIBUTING.md', page: 'contributing.md', title: 'Contributing' },
      { file: 'test/README.md', page: 'tests.md', title: 'Tests' },
      own('testing', 'Simulation'),
    ],
  },
];

export const DECISION_PAGES = DECISIONS.map((name) => ({
  file: `docs/decisions/${name}`,
  page: `decisions/${name}`,
}));

/** All pages that are files of the repository. The API reference and the list of decisions are made by the build. */
export const PAGES = [...GROUPS.flatMap(({ pages }) => pages), ...DECISION_PAGES];
