/** Time of the processor that this process has used. Other processes may slow down the clock on the wall. */

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
