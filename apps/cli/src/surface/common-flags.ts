/** Flags that several commands have. */

import { flag, type Flag, type Rest } from './command.ts';

export const CONFIG = flag(
  'config',
  'path of the configuration; docs/configuration.md lists the default paths',
  {
    value: 'PATH',
  },
);
export const NO_EXPAND = flag('no-expand-env', 'do not expand $VAR in the configuration');
export const JSON_FLAG = flag('json', 'print JSON', { knownBy: '0.5' });
export const LEVEL = flag('log-level', 'trace, debug, info, warn or error; overrides LOG_LEVEL', {
  value: 'LEVEL',
  knownBy: '0.5',
});
export const REPLICA = flag('replica', 'use only this destination of the database', {
  value: 'NAME',
  knownBy: '0.3',
});
export const OURS: Rest = { knownBy: 'ours' };
/** Of the commands that Litestream does not have. */
export const OWN_FLAGS: readonly Flag[] = [CONFIG, NO_EXPAND, JSON_FLAG].map((each) => ({
  ...each,
  knownBy: 'ours',
}));
/** Of the commands that prove something, and may also be done by the replicator. */
export const RUNNING = flag(
  'running',
  'have the running replicator do it: with its configuration, its environment and its user',
  OURS,
);
