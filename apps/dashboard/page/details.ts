/** What the API answers about one database. */

import type { DatabaseStatus } from '@sluice/core';
import type { DatabaseSettings, DrillSummary } from '../src/source.ts';

export interface Details {
  readonly status: DatabaseStatus;
  readonly settings?: DatabaseSettings | undefined;
  readonly drills?: readonly DrillSummary[] | undefined;
}
