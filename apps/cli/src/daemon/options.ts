/** How the replicating process was started. */

import type { Logger } from '@sluice/core/backend';
import type { Config } from '../config/model.ts';
import type { ConfigFile } from '../drilling/order.ts';
import type { Environment, Shell } from '../shell.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly mode: 'once' | 'until-stopped';
  /** With `once`: delete what has passed its retention. */
  readonly retention?: 'enforce' | undefined;
  /** Command line of the child. */
  readonly command: string | undefined;
  /** What to do with replicas that belong to another replicator. */
  readonly foreign: 'refuse' | 'take over';
  /** What to do while another replicator holds a lease. */
  readonly held: 'wait' | 'refuse';
  readonly restoreMissing: 'all' | 'as-configured';
  readonly report: 'json' | 'log';
  /** undefined if the configuration is a command line. */
  readonly configFile: ConfigFile | undefined;
  /** Environment of the child. */
  readonly environment: Environment;
  readonly shell: Shell;
  readonly logger: Logger;
}
