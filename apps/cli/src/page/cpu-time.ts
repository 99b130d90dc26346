/** Time of the processor that this thread has used. Other processes may slow down the clock on the wall. */

export function cpuMs(): number {
  // Not of the other threads, which are busy when the databases are. Node 22 has it only in later versions.
  const { user, system } =
    'threadCpuUsage' in process ? process.threadCpuUsage() : (process as NodeJS.Process).cpuUsage();
  return (user + system) / 1_000;
}
