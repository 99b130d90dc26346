/** The tables list every command, flag and key of Litestream 0.5.18 and 0.3.13. */

import { HOST_KEYS } from '@sluice/core/config';
import { expect, test } from 'vitest';
import { COMMANDS, findCommand } from '../src/surface/commands.ts';
import { WORDS, type Scope } from '../src/litestream.ts';
import { REPLICA } from '../src/config/schema.ts';
import { rowsOf } from './support/rows.ts';
import { sluice } from './support/shell.ts';

/** Printed by `litestream` and `litestream <command> -h` of 0.5.18 and 0.3.13. */
const LITESTREAM: Readonly<Record<string, string>> = {
  replicate:
    'config exec log-level no-expand-env once force-snapshot enforce-retention restore-if-db-not-exists',
  restore:
    'o config txid timestamp generation index replica parallelism if-db-not-exists if-replica-exists dry-run force json f follow-interval integrity-check no-expand-env',
  databases: 'config json no-expand-env',
  ltx: 'level json config no-expand-env',
  wal: 'replica generation config no-expand-env',
  status: 'config json no-expand-env',
  version: 'verbose',
  generations: 'replica config no-expand-env',
  snapshots: '',
  reset: 'dry-run',
  start: 'timeout socket json',
  stop: 'timeout socket json',
  sync: 'wait timeout socket json',
  register: 'replica timeout socket json',
  unregister: 'timeout socket json dry-run',
  list: 'timeout socket json',
  info: 'timeout socket json',
};

test.each(Object.entries(LITESTREAM))('%s and its flags are in the table', (name, flags) => {
  const command = findCommand(name);
  expect(command).toBeDefined();
  const known = command?.flags.map((flag) => flag.name) ?? [];
  if (command?.support.kind !== 'refused') {
    expect(known).toEqual(expect.arrayContaining(flags.split(' ')));
  }
});

test.each(COMMANDS.map((command) => ({ ...command })))(
  'the command $name works, or is refused with a reason',
  async ({ name, support }) => {
    const { code, stdout, stderr } = await sluice([name, '-help']);
    if (support.kind === 'refused') {
      expect(code).toBe(2);
      expect(stderr).toBe(`sluice ${name}: ${support.reason}; ${support.instead}\n`);
    } else {
      expect(code).toBe(0);
      expect(stdout).toContain(`usage: sluice ${name}`);
    }
  },
);

/** Keys by scope, from the documentation of 0.5 and 0.3. */
const LITESTREAM_KEYS: Readonly<Record<Scope, string>> = {
  top: 'addr exec logging.level logging.type logging.stderr logging.source access-key-id secret-access-key levels snapshot.interval snapshot.retention l0-retention l0-retention-check-interval verify-compaction retention.enabled validation.interval heartbeat-url heartbeat-interval socket.enabled socket.path socket.permissions mcp-addr shutdown-sync-timeout shutdown-sync-interval dbs sync-interval region endpoint',
  database:
    'path dir pattern recursive watch meta-path meta-dir monitor-interval checkpoint-interval min-checkpoint-page-count max-checkpoint-page-count truncate-page-n busy-timeout max-sync-wal-bytes restore-if-db-not-exists snapshot.interval snapshot.retention replica replicas',
  replica:
    'type name path url sync-interval snapshot-interval retention retention-check-interval validation-interval max-sync-ltx-files auto-recover age.identities age.recipients access-key-id secret-access-key region bucket endpoint force-path-style skip-verify sign-payload require-content-md5 storage-class part-size concurrency sse-customer-algorithm sse-customer-key sse-customer-key-path sse-kms-key-id account-name account-key sas-token host user password key-path host-key concurrent-writes webdav-url webdav-username webdav-password jwt seed creds nkey username token tls root-cas client-cert client-key max-reconnects reconnect-wait timeout',
};

const ROWS = await rowsOf();

test.each(Object.entries(LITESTREAM_KEYS))(
  'every %s key works, or is refused or ignored with a reason',
  (scope, keys) => {
    const ours = ROWS.filter((row) => row.scope === scope).map((row) => row.name);
    const words = WORDS.filter((word) => word.scope === scope).map((word) => word.key);
    expect([...ours, ...words]).toEqual(expect.arrayContaining(keys.split(' ')));
  },
);

test('no refused or ignored key is listed twice or is a key of Sluice', () => {
  const words = WORDS.map(({ scope, key }) => `${scope} ${key}`);
  expect(new Set(words).size).toBe(words.length);
  const common = ROWS.filter(({ of }) => of === undefined);
  const ours = new Set(common.map(({ scope, name }) => `${scope} ${name}`));
  expect(words.filter((word) => ours.has(word))).toEqual([]);
  for (const { name, flags } of COMMANDS) {
    expect(new Set(flags.map((flag) => flag.name)).size, name).toBe(flags.length);
  }
});

test('HOST_KEYS lists the replica keys that Sluice reads itself', () => {
  const words = WORDS.filter(({ scope, of }) => scope === 'replica' && of === undefined);
  const names = [...Object.keys(REPLICA.shape), ...words.map(({ key }) => key.split('.')[0])];
  expect(new Set(names)).toEqual(new Set(HOST_KEYS));
});
