/** What a service manager hears from `sluice replicate` (Type=notify). */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { addRows } from '../../../apps/cli/test/support/database.ts';
import { CLIProcess } from '../../../apps/cli/test/support/process.ts';
import { closedEndpoint } from '../../../apps/cli/test/support/silent-server.ts';
import { describeWith } from '../../support/require.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { ServiceManager } from './service-manager.ts';

describeWith(['systemd-notify', 'python3'], 'sluice replicate as a service of systemd', () => {
  test('it is ready when the database is open, gives signs of life, and asks for time to end', async () => {
    const manager = await ServiceManager.listen();
    const { database, backup } = scene();
    const sluice = start(manager, ['replicate', database, `file://${backup}`], {
      WATCHDOG_USEC: '400000',
    });
    const ready = await manager.received(/^READY=1 \| STATUS=1 database: healthy$/);
    expect(manager.messages.slice(0, ready).join()).not.toContain('READY');
    const alive = await manager.received(/^WATCHDOG=1 /, ready + 1);
    await manager.received(/^WATCHDOG=1 /, alive + 1);
    sluice.kill('SIGTERM');
    const { code, stdout } = await sluice.ended();
    expect(code, stdout).toBe(0);
    const stopping = await manager.received(/STOPPING=1/);
    const sync = await manager.received(/last sync/, stopping);
    expect(manager.messages[sync]).toContain('EXTEND_TIMEOUT_USEC=60000000');
    expect(manager.messages.filter((line) => line.includes('READY'))).toHaveLength(1);
  });

  test('a database that waits for its restore is not ready, and asks for time', async () => {
    const manager = await ServiceManager.listen();
    const { folder, backup } = scene();
    const config = path.join(folder, 'sluice.yml');
    const missing = path.join(folder, 'missing.db');
    const endpoint = await closedEndpoint();
    const url = `s3://bucket/a?endpoint=${endpoint}&region=r&access-key-id=k&secret-access-key=secret-canary`;
    fs.writeFileSync(
      config,
      `dbs: [{ path: ${missing}, restore-if-db-not-exists: true, replicas: [{ url: '${url}' }, { url: 'file://${backup}' }] }]`,
    );
    const sluice = start(manager, ['replicate', '-config', config]);
    const first = await manager.received(/./);
    expect(manager.messages[first]).toBe(
      'EXTEND_TIMEOUT_USEC=60000000 | STATUS=opening the databases',
    );
    await sluice.says(/missing\.db is missing\. Sluice waits for s3/);
    sluice.kill('SIGTERM');
    expect((await sluice.ended()).code).toBe(143);
    expect(manager.messages.join()).not.toContain('READY');
  });

  test('the status line names what is wrong, without secrets', async () => {
    const manager = await ServiceManager.listen();
    const { folder, database, backup } = scene();
    const config = path.join(folder, 'sluice.yml');
    const endpoint = await closedEndpoint();
    const url = `s3://bucket/a?endpoint=${endpoint}&region=r&access-key-id=k&secret-access-key=secret-canary`;
    fs.writeFileSync(
      config,
      `max-lag: 1s\nshutdown-sync-timeout: 0s\ndbs: [{ path: ${database}, replicas: [{ url: '${url}' }, { url: 'file://${backup}' }] }]`,
    );
    const sluice = start(manager, ['replicate', '-config', config], { WATCHDOG_USEC: '400000' });
    const sick = await manager.received(/STATUS=1 of 1 database not healthy/);
    expect(manager.messages[sick]).toContain(`${database}: `);
    sluice.kill('SIGTERM');
    expect((await sluice.ended()).code).toBe(3);
    expect(manager.messages.join()).not.toContain('secret-canary');
  });

  test('the command of -exec is not told about the service manager', async () => {
    const manager = await ServiceManager.listen();
    const { database, backup } = scene();
    const command = `sh -c 'echo "socket=$NOTIFY_SOCKET. watchdog=$WATCHDOG_USEC."; exec sleep 600'`;
    const words = ['replicate', '-exec', command, database, `file://${backup}`];
    const sluice = start(manager, words, { WATCHDOG_USEC: '400000' });
    await manager.received(/READY=1/);
    await sluice.says(/socket=\. watchdog=\./);
    sluice.kill('SIGTERM');
    expect((await sluice.ended()).code).toBe(143); // of the command
    expect(manager.messages.at(-1)).toContain('last sync');
  });

  test('a watchdog of another process gets no signs of life', async () => {
    const manager = await ServiceManager.listen();
    const { database, backup } = scene();
    const environment = { WATCHDOG_USEC: '400000', WATCHDOG_PID: '1' };
    const sluice = start(manager, ['replicate', database, `file://${backup}`], environment);
    await manager.received(/READY=1/);
    sluice.kill('SIGTERM');
    expect((await sluice.ended()).code).toBe(0);
    await manager.received(/last sync/);
    expect(manager.messages.join()).not.toContain('WATCHDOG');
  });

  test('without systemd-notify it warns once and replicates', async () => {
    const manager = await ServiceManager.listen();
    const { database, backup } = scene();
    const words = ['replicate', '-exec', '/bin/true', database, `file://${backup}`];
    const { code, stdout } = await start(manager, words, { PATH: '/nowhere' }).ended();
    expect(code, stdout).toBe(0);
    expect(stdout.match(/systemd-notify is not in PATH/g)).toHaveLength(1);
    expect(stdout).toContain('file has everything');
    expect(manager.messages).toEqual([]);
  });
});

function scene(): { folder: string; database: string; backup: string } {
  const folder = temporaryFolder('notify');
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  return { folder, database, backup: path.join(folder, 'backup') };
}

function start(
  { socket }: ServiceManager,
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): CLIProcess {
  return new CLIProcess(words, { NOTIFY_SOCKET: socket, ...environment });
}
