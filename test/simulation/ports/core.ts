/** The modules of core that are simulated: of the sources, or of a copy with a planted bug. */

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { RECIPIENT } from './age-file.ts';

type EngineModule = typeof import('../../../packages/core/src/database/engine.ts');
type GaugesModule = typeof import('../../../packages/core/src/database/gauges.ts');
type KernelModule = typeof import('../../../packages/core/src/kernel/kernel.ts');
type ErrorModule = typeof import('../../../packages/core/src/error.ts');
type ReplicateModule = typeof import('../../../packages/core/src/replicate/replicate.ts');
type ReplicationModule = typeof import('../../../packages/core/src/replicate/replication.ts');
type MergeModule = typeof import('../../../packages/core/src/replicate/levels/merge-files.ts');
type DestinationModule = typeof import('../../../packages/core/src/replica/destination.ts');
type RestoreModule = typeof import('../../../packages/core/src/restore/restore.ts');
type MemoryModule = typeof import('../../../packages/core/src/store/memory.ts');
type EncryptionModule = typeof import('../../../packages/core/src/encryption/age.ts');
type OwnershipModule = typeof import('../../../packages/core/src/replicate/ownership/ownership.ts');
type FollowerModule = typeof import('../../../packages/core/src/warm-copy/follower.ts');
type DrillModule = typeof import('../../../packages/core/src/drill/drill.ts');
type ChaosModule = typeof import('../../../packages/core/src/store/chaos.ts');

export type Core = Pick<EngineModule, 'Engine'> &
  Pick<GaugesModule, 'Gauges'> &
  Pick<KernelModule, 'createKernel'> &
  Pick<ErrorModule, 'ReplicationError' | 'isError'> &
  Pick<ReplicateModule, 'completeOptions'> &
  Pick<ReplicationModule, 'Replication'> &
  Pick<MergeModule, 'mergeFiles'> &
  Pick<OwnershipModule, 'ownershipsOf'> &
  Pick<DestinationModule, 'Destination'> &
  Pick<RestoreModule, 'restore'> &
  Pick<MemoryModule, 'memoryClient' | 'MemoryStore'> &
  Pick<EncryptionModule, 'Encryption' | 'problemWithRecipient'> &
  Pick<FollowerModule, 'Follower'> &
  Pick<DrillModule, 'drill'> &
  Pick<ChaosModule, 'chaos'>;

const MODULES = [
  'error',
  'database/engine',
  'database/gauges',
  'kernel/kernel',
  'replicate/replicate',
  'replicate/replication',
  'replicate/levels/merge-files',
  'replicate/ownership/ownership',
  'replica/destination',
  'restore/restore',
  'encryption/age',
  'warm-copy/follower',
  'drill/drill',
  'store/memory',
  'store/chaos',
];

/** `src`: the folder of the sources. */
export async function loadCore(src: string): Promise<Core> {
  const urls = MODULES.map((name) => pathToFileURL(path.join(src, `${name}.ts`)).href);
  const modules = await Promise.all(urls.map((url) => import(url) as Promise<object>));
  const core = Object.assign({}, ...modules) as Core;
  // The library is loaded with the first use. No run should wait for that.
  await core.problemWithRecipient(RECIPIENT);
  return core;
}
