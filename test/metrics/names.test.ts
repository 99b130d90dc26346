/** The metrics of a running replicator, as Prometheus sees them. */

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { describeWith, needTool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { startReplicator } from './replicator.ts';

function valueOf(text: string, series: RegExp): number | undefined {
  const line = text.split('\n').find((each) => series.test(each));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
}

test('a commit moves the counters of its database and of both destinations', async () => {
  const sluice = await startReplicator();
  const before = await sluice.metrics();
  sluice.commit();
  const commits = /^sluice_db_commits_total\{/;
  let after = '';
  await until('the commit is everywhere', async () => {
    after = await sluice.metrics();
    const isSeen = (valueOf(after, commits) ?? 0) > (valueOf(before, commits) ?? 0);
    const isSent = ['near', 'far'].every((name) => {
      const txid = new RegExp(`^sluice_replica_txid\\{.*destination="${name}"`);
      return (valueOf(after, txid) ?? 0) > (valueOf(before, txid) ?? 0);
    });
    return isSeen && isSent;
  });
  for (const grown of [
    /^sluice_db_wal_read_bytes_total\{/,
    /^sluice_replica_operations_total\{.*"near",operation="put",result="ok"\}/,
    /^sluice_replica_operation_bytes_total\{.*"far",operation="put"\}/,
    /^sluice_replica_sent_bytes_total\{.*"far"\}/,
  ]) {
    expect(valueOf(after, grown), String(grown)).toBeGreaterThan(valueOf(before, grown) ?? 0);
  }
  const age =
    Date.now() / 1_000 - (valueOf(after, /^sluice_db_last_commit_timestamp_seconds\{/) ?? 0);
  expect(age).toBeGreaterThan(-1);
  expect(age).toBeLessThan(300);
  await until('nothing is unstaged', async () => {
    return valueOf(await sluice.metrics(), /^sluice_db_unstaged_bytes\{/) === 0;
  });
});

describeWith(['promtool'], 'promtool', () => {
  test('promtool finds nothing wrong with the metrics of a replicator', async () => {
    const sluice = await startReplicator();
    // Exits with a code other than 0 if it complains.
    const input = await sluice.metrics();
    const output = execFileSync(needTool('promtool'), ['check', 'metrics'], { input });
    expect(output.toString()).toBe('');
  });
});
