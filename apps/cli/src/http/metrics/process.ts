/** Metrics of the process, under the names that all Prometheus clients use. */

import fs from 'node:fs';
import { toLabels, type FamilyGroup } from './family.ts';

export interface ProcessView {
  readonly version: string;
  /** Unix time in seconds. */
  readonly startedAt: number;
}

export const PROCESS: FamilyGroup<ProcessView> = {
  title: 'The process',
  labels: [],
  families: [
    {
      name: 'sluice_build_info',
      type: 'gauge',
      help: 'Always 1; the version is a label',
      labels: ['version', 'node'],
      read: ({ version }) => [[toLabels({ version, node: process.versions.node }), 1]],
    },
    {
      name: 'process_start_time_seconds',
      type: 'gauge',
      help: 'Unix time at which the process started',
      read: ({ startedAt }) => startedAt,
    },
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Processor time of all its threads',
      read: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory',
      read: () => process.memoryUsage.rss(),
    },
    {
      name: 'process_open_fds',
      type: 'gauge',
      help: 'Open file descriptors; absent where there is no /proc',
      read: countDescriptors,
    },
  ],
};

function countDescriptors(): number | undefined {
  try {
    return fs.readdirSync('/proc/self/fd').length - 1; // without that of this call
  } catch {
    return undefined;
  }
}
