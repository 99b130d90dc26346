/** What a run needs in this process: virtual timers, watchers, connections, and the modules of core. */

import { CORE_SRC, plant } from '../../packages/core/test/support/mutant.ts';
import { loadCore } from './ports/core.ts';
import type { PlantedError } from './planted-error.ts';
import { PLANTED_ERRORS, type PlantedName } from './planted.ts';
import { installConnections } from './ports/process.ts';
import { simulate, type RunOptions, type RunReport } from './simulation.ts';
import { installTimers, type VirtualTime } from './ports/virtual-time.ts';
import { installDescriptors } from './ports/descriptors.ts';
import { installWatches } from './ports/watches.ts';
import { installWebCrypto } from './ports/web-crypto.ts';

/** Runs a seed. */
export type Simulate = (
  options: Pick<RunOptions, 'seed' | 'steps' | 'actors' | 'onLine'>,
) => Promise<RunReport>;

/** Installs everything, once for this process. `planted`: an error that the runs must find. */
export async function prepare(
  planted: PlantedName | undefined,
): Promise<{ run: Simulate; remove: () => void }> {
  let time: VirtualTime | undefined;
  installTimers(() => {
    if (time === undefined) throw new Error('no run has begun');
    return time;
  });
  installConnections();
  installWatches();
  installWebCrypto();
  installDescriptors();
  const error: Partial<PlantedError> = planted === undefined ? {} : PLANTED_ERRORS[planted];
  const { sources, wrappers, actors = [], steps } = error;
  const mutant = sources === undefined ? undefined : plant(`simulation-${planted}`, sources);
  const core = await loadCore(mutant?.src ?? CORE_SRC);
  return {
    run: (options) =>
      simulate({
        ...options,
        steps: options.steps ?? steps,
        core,
        ...(planted !== undefined && { actors }),
        wrappers: wrappers?.(),
        onTime: (started) => {
          time = started;
        },
      }),
    remove: () => mutant?.remove(),
  };
}
