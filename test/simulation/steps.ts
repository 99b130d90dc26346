/** The steps of a run, and how often each is drawn. */

import type { Random } from '../../packages/core/test/support/random.ts';

export type StepName =
  | 'application starts'
  | 'small commit'
  | 'large commit'
  | 'burst of commits'
  | 'rollback'
  | 'stay in a transaction'
  | 'end the transaction'
  | 'delete'
  | 'vacuum'
  | 'schema change'
  | 'checkpoint'
  | 'application ends'
  | 'keep copies'
  | 'replace the database'
  | 'delete files of SQLite'
  | 'staging loses files'
  | 'replicator starts'
  | 'replicator is killed'
  | 'replicator closes'
  | 'sync'
  | 'snapshot'
  | 'bucket changes'
  | 'bucket loses objects'
  | 'disk fails'
  | 'disk works'
  | 'wall clock steps'
  | 'hours pass'
  | 'a reader lists'
  | 'verify';

export interface Situation {
  readonly application: 'closed' | 'open' | 'in a transaction';
  readonly replicator: 'down' | 'closing' | 'up';
  readonly disk: 'works' | 'fails';
}

type Weights = Partial<Record<StepName, number>>;

const ALWAYS: Weights = {
  'bucket changes': 8,
  'bucket loses objects': 1,
  'wall clock steps': 1,
  'hours pass': 2,
  'a reader lists': 3,
  verify: 4,
};
const WHILE_APPLICATION: Readonly<Record<Situation['application'], Weights>> = {
  closed: { 'application starts': 12, 'delete files of SQLite': 4 },
  open: {
    'small commit': 24,
    'large commit': 5,
    'burst of commits': 3,
    rollback: 3,
    'stay in a transaction': 3,
    delete: 3,
    vacuum: 2,
    'schema change': 2,
    checkpoint: 7,
    'application ends': 4,
    'keep copies': 3,
    'replace the database': 3,
  },
  'in a transaction': {
    'stay in a transaction': 4,
    'end the transaction': 12,
    checkpoint: 3,
    'application ends': 2,
  },
};
const WHILE_REPLICATOR: Readonly<Record<Situation['replicator'], Weights>> = {
  down: { 'replicator starts': 20, 'staging loses files': 1 },
  closing: {},
  up: { 'replicator is killed': 8, 'replicator closes': 2, sync: 5, snapshot: 2 },
};

const WHILE_DISK: Readonly<Record<Situation['disk'], Weights>> = {
  works: { 'disk fails': 4 },
  fails: { 'disk works': 12 },
};

/** Draws the next step of those that are possible. */
export function drawStep(random: Random, { application, replicator, disk }: Situation): StepName {
  const weights = {
    ...ALWAYS,
    ...WHILE_APPLICATION[application],
    ...WHILE_REPLICATOR[replicator],
    ...WHILE_DISK[disk],
  };
  const entries = Object.entries(weights) as [StepName, number][];
  let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return 'verify';
}
