/** A restore that leaves out a destination: the result says whether a newer state may be there. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { KEYS } from '../support/age.ts';
import { cutBucket, expectedOf, goldenBucket } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const latest = expectedOf().at(-1);

function configOf(database: string, replicas: readonly string[]): string {
  const lines = replicas.map((replica) => `  - ${replica}`).join('\n');
  return writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:\n- path: ${database}\n  replicas:\n${lines}\n`,
  );
}

test('if a destination is unreachable, a warning is printed and the others are used', async () => {
  const output = path.join(temporaryFolder(), 'app.db');
  const endpoint = await closedEndpoint();
  const s3 = `{ type: s3, bucket: b, path: p, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }`;
  const config = configOf('/data/app.db', [s3, `{ path: ${goldenBucket()} }`]);
  const { code, stdout, stderr } = await sluice([
    'restore',
    '-config',
    config,
    '-o',
    output,
    '/data/app.db',
  ]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/level=WARN msg="s3 is left out: .*" code=REPLICA_UNAVAILABLE/);
  expect(stdout).toMatch(/there may be a newer state at s3 .*it is not known what is there/);
});

/** A folder with the names of the golden bucket: each file is encrypted for somebody else. */
function sealedBucket(): string {
  const bucket = goldenBucket();
  for (const name of fs.readdirSync(bucket, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(bucket, name);
    if (fs.statSync(file).isFile()) {
      fs.writeFileSync(file, `age-encryption.org/v1\n-> X25519 ${'a'.repeat(200)}\n`);
    }
  }
  return bucket;
}

test('the result names a destination without an identity that may have newer commits', async () => {
  const behind = goldenBucket();
  cutBucket(behind, '0000000000000012');
  const encryption = `encryption: { recipients: [${KEYS.recipient}] }`;
  const sealed = `{ name: sealed, path: ${sealedBucket()}, ${encryption} }`;
  const config = configOf('/data/app.db', [`{ name: near, path: ${behind} }`, sealed]);
  const words = ['-config', config, '/data/app.db'];
  const run = async (...more: string[]): ReturnType<typeof sluice> =>
    sluice(['restore', '-o', path.join(temporaryFolder(), 'app.db'), ...more, ...words]);
  const { code, stdout } = await run();
  const line = new RegExp(
    `\nthere may be a newer state at sealed \\(file:.*REPLICA_NO_IDENTITY\\): its files go up to TXID ${latest?.txid}. To see why, repeat the restore with "-replica sealed -dry-run"`,
  );
  expect([code, stdout]).toEqual([0, expect.stringMatching(line)]);
  expect((await run('-dry-run')).stdout).toMatch(line);
  const why = await run('-replica', 'sealed', '-dry-run');
  expect([why.code, why.stderr]).toEqual([6, expect.stringContaining('identity') as string]);
  const json = JSON.parse((await run('-json')).stdout) as object;
  const named = { replica: 'sealed', code: 'REPLICA_NO_IDENTITY', txid: latest?.txid };
  expect(json).toMatchObject({ replica: 'near', maybe_newer_at: [named] });
  // Nobody reads the result of these: nothing is restored.
  expect((await run('-if-db-not-exists')).code).toBe(6);
  // A state that is chosen by its TXID does not depend on other destinations.
  expect((await run('-txid', '0000000000000012')).stdout).not.toContain('newer state');
});

test('an encrypted destination that lists nothing newer is not named in the result', async () => {
  const encryption = `encryption: { recipients: [${KEYS.recipient}] }`;
  const sealed = `{ name: sealed, path: ${sealedBucket()}, ${encryption} }`;
  const config = configOf('/data/app.db', [`{ path: ${goldenBucket()} }`, sealed]);
  const output = path.join(temporaryFolder(), 'app.db');
  const words = ['restore', '-config', config, '-o', output, '/data/app.db'];
  const { code, stdout, stderr } = await sluice(words);
  expect(code).toBe(0);
  expect(stderr).toMatch(/sealed is left out: .*REPLICA_NO_IDENTITY/);
  expect(stdout).not.toContain('newer state');
});
