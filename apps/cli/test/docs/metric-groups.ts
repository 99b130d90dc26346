/** All families of metrics, for the documentation and its tests. */

import { DATABASES } from '../../src/http/metrics/databases.ts';
import { DESTINATIONS } from '../../src/http/metrics/destinations.ts';
import type { FamilyGroup } from '../../src/http/metrics/family.ts';
import { LITESTREAM_DATABASES, LITESTREAM_TYPES } from '../../src/http/metrics/litestream-names.ts';
import { PROCESS } from '../../src/http/metrics/process.ts';
import { RESULTS } from '../../src/http/metrics/results.ts';

type Described = Pick<FamilyGroup<never>, 'title' | 'labels' | 'families'>;

export const GROUPS: readonly Described[] = [DATABASES, DESTINATIONS, RESULTS, PROCESS];
export const LITESTREAM_GROUPS: readonly Described[] = [LITESTREAM_DATABASES, LITESTREAM_TYPES];
