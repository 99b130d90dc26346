/** Metrics of restores at the start: restore-if-db-not-exists. */

import type { StartRestore } from '../../daemon/restore-missing.ts';
import { toLabels, type FamilyGroup } from './family.ts';

const RESULTS = (['restored', 'empty'] as const).map(
  (result) => [result, toLabels({ result })] as const,
);

export const RESTORES: FamilyGroup<StartRestore> = {
  title: 'Each database that was missing at the start',
  labels: ['db'],
  families: [
    {
      name: 'sluice_restore_result',
      type: 'gauge',
      help: '1 for what became of the missing database (restored, or empty because no destination has a backup), 0 for the other',
      labels: ['result'],
      read: ({ kind }) => RESULTS.map(([result, labels]) => [labels, result === kind ? 1 : 0]),
    },
    {
      name: 'sluice_restore_seconds',
      type: 'gauge',
      help: 'Time that its restore took',
      read: (view) => (view.kind === 'restored' ? view.seconds : undefined),
    },
  ],
};
