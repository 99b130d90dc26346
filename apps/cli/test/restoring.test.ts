/** Chooses the destination of a restore from several that responded or did not. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isError, type RestoreTarget } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { parseTXID } from '@sluice/core/ltx';
import { destinationFromURL } from '../src/config/replica.ts';
import type { DestinationConfig } from '../src/config/model.ts';
import { Destinations } from '../src/destinations.ts';
import { createLogger } from '../src/log.ts';
import {
  surveyAll,
  type Answer,
  type Candidate,
  type SurveyOptions,
} from '../src/restoring/survey.ts';
import { choose } from '../src/restoring/choose.ts';
import type { Sent } from '../src/restoring/records.ts';
import { Secrets } from '../src/secrets.ts';
import {
  cutBucket,
  damageBucket,
  expectedOf,
  goldenBucket,
  type Expected,
} from './support/golden.ts';
import { Capture } from './support/shell.ts';
import { closedEndpoint, startSilentServer } from './support/silent-server.ts';
import { temporaryFolder } from './support/temporary.ts';
import { writtenBucket } from './support/written-bucket.ts';

const latest = expectedOf().at(-1)?.txid;
const signal = new AbortController().signal;

class Scene {
  readonly log = new Capture();
  readonly logger = createLogger({
    level: 'warn',
    type: 'text',
    stream: this.log,
    secrets: new Secrets(),
  });
  readonly connections = new Destinations(this.logger, 'read');

  constructor() {
    onTestFinished(() => this.connections.close());
  }

  /** Folders or URLs, by name of the destination. */
  async ask(places: Record<string, string>, more: Partial<SurveyOptions> = {}): Promise<Answer[]> {
    const destinations: DestinationConfig[] = [];
    for (const [name, place] of Object.entries(places)) {
      const url = place.includes('://') ? place : `file://${place}`;
      destinations.push({ ...(await destinationFromURL(url, '/', new Secrets())), name });
    }
    return await surveyAll({
      destinations,
      target: { kind: 'latest' },
      connections: this.connections,
      sentTo: () => Promise.resolve(undefined),
      signal,
      ...more,
    });
  }

  /** Names of the chosen destinations, with + between those that are read together; or the error. */
  async choose(
    answers: readonly Answer[],
    reader: 'a person' | 'nobody' = 'a person',
    target: RestoreTarget = { kind: 'latest' },
  ): Promise<string | ReplicationError> {
    try {
      const isAttended = reader === 'a person';
      const options = {
        target,
        across: 'allowed',
        isAttended,
        logger: this.logger,
        signal,
      } as const;
      const candidates = await choose(answers, options);
      return candidates.map(nameOf).join(' ');
    } catch (error) {
      if (error instanceof ReplicationError) return error;
      throw error;
    }
  }
}

function nameOf(candidate: Candidate): string {
  const across = candidate.layout === 'ltx' ? candidate.across : undefined;
  const { destinations } = across ?? { destinations: [candidate.destination] };
  return destinations
    .map(({ name }) => name)
    .sort()
    .join('+');
}

function bucketUpTo(txid: string): string {
  const bucket = goldenBucket();
  cutBucket(bucket, txid);
  return bucket;
}

function removeFiles(bucket: string, pattern: RegExp): void {
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    if (pattern.test(name)) fs.rmSync(path.join(bucket, name));
  }
}

const s3At = (endpoint: string): string =>
  `s3://b/p?endpoint=${endpoint}&region=x&access-key-id=a&secret-access-key=bbbbbbbb`;

test('among copies of one history, the newest state comes first', async () => {
  const scene = new Scene();
  const places = { behind: bucketUpTo('0000000000000012'), far: goldenBucket() };
  expect(await scene.choose(await scene.ask(places))).toBe('behind+far far behind');
  expect(scene.log.text).toBe('');
});

test('two writers of one lineage are never combined: a person is warned, and a script gets an error', async () => {
  const scene = new Scene();
  const places = {
    mine: writtenBucket(3, 1),
    copy: writtenBucket(3, 1),
    fork: writtenBucket(2, 9),
  };
  const answers = await scene.ask(places);
  expect(await scene.choose(answers)).toMatch(/^copy\+mine (copy mine|mine copy) fork$/);
  expect(scene.log.text).toMatch(
    /level 0 0{15}2-0{15}2.ltx at fork is not the file of the same name at/,
  );
  expect(await scene.choose(answers, 'nobody')).toMatchObject({
    code: 'RESTORE_AMBIGUOUS',
    message: expect.stringMatching(/two replicators .*\n.* at fork .*\n.*-replica NAME/) as string,
  });
});

test('different histories are listed with TXID and time, and none is chosen', async () => {
  const scene = new Scene();
  const places = { old: goldenBucket('block-4k'), other: goldenBucket('frame-4k') };
  for (const reader of ['a person', 'nobody'] as const) {
    const error = await scene.choose(await scene.ask(places), reader);
    expect(error).toMatchObject({ code: 'RESTORE_AMBIGUOUS' });
    for (const [name, folder] of Object.entries(places)) {
      const line = new RegExp(
        `^  ${name} \\(file://${folder}\\): TXID 00000000000000\\w\\w of unknown lineage, written at 20`,
        'm',
      );
      expect((error as ReplicationError).message).toMatch(line);
    }
    expect((error as ReplicationError).message).toMatch(/run "sluice restore -replica NAME"$/);
  }
});

test('if the newest state is damaged, a person gets a warning and a script an error', async () => {
  const scene = new Scene();
  const damaged = goldenBucket();
  removeFiles(damaged, /-0*1[678]\.ltx$/);
  const answers = await scene.ask({ damaged, behind: bucketUpTo('0000000000000012') });
  expect(await scene.choose(answers)).toBe('behind');
  expect(scene.log.text).toMatch(/damaged is left out: TXID .* is missing .*code=RESTORE_GAP/);
  expect(scene.log.text).toMatch(
    new RegExp(`newest state is at damaged .*TXID ${latest} .*, but an older one is restored`),
  );
  expect(await scene.choose(answers, 'nobody')).toMatchObject({
    code: 'RESTORE_GAP',
    message: expect.stringMatching(/^nothing is restored, .* damaged .*-replica NAME/) as string,
  });
});

test('a damaged destination that is behind does not prevent a restore', async () => {
  const scene = new Scene();
  const damaged = bucketUpTo('0000000000000012');
  removeFiles(damaged, /-0*1[01]\.ltx$/);
  const answers = await scene.ask({ damaged, whole: goldenBucket() });
  expect(answers.map(({ kind }) => kind).sort()).toEqual(['restorable', 'unusable']);
  expect(await scene.choose(answers, 'nobody')).toBe('damaged+whole whole');
});

test('a destination whose newest state is unknown stops a script', async () => {
  const scene = new Scene();
  const damaged = goldenBucket();
  for (const name of fs.readdirSync(damaged, { recursive: true }) as string[]) {
    if (name.endsWith(`${latest}.ltx`)) fs.writeFileSync(path.join(damaged, name), 'x'.repeat(500));
  }
  const answers = await scene.ask({ damaged, behind: bucketUpTo('0000000000000012') });
  expect(await scene.choose(answers)).toBe('behind');
  expect(await scene.choose(answers, 'nobody')).toMatchObject({
    message: expect.stringMatching(
      /^nothing is restored, .* may be at damaged, and it cannot be restored/,
    ) as string,
  });
});

test('if a destination does not respond, a person gets a warning and a script an error', async () => {
  const scene = new Scene();
  const answers = await scene.ask({ gone: s3At(await closedEndpoint()), here: goldenBucket() });
  expect(await scene.choose(answers)).toBe('here');
  expect(scene.log.text).toMatch(/gone is left out: .*code=REPLICA_UNAVAILABLE/);
  expect(await scene.choose(answers, 'nobody')).toMatchObject({
    code: 'REPLICA_UNAVAILABLE',
    message: expect.stringMatching(/^nothing is restored, .*: gone: .*-replica NAME/) as string,
  });
});

test('"no backup" requires a response of all destinations, which are listed', async () => {
  const scene = new Scene();
  const [one, other] = [temporaryFolder(), temporaryFolder()];
  const none = (await scene.choose(await scene.ask({ one, other }))) as ReplicationError;
  expect(none.code).toBe('RESTORE_NO_SNAPSHOT');
  expect(none.message).toContain(`one (file://${one})`);
  expect(none.message).toContain(`other (file://${other})`);
  const gone = s3At(await closedEndpoint());
  const error = await scene.choose(await scene.ask({ one, gone }));
  expect(error).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});

test('increments without a snapshot are damage, not "no backup"', async () => {
  const scene = new Scene();
  const bucket = goldenBucket();
  removeFiles(bucket, /0{15}1-\w+\.ltx$/);
  expect(await scene.choose(await scene.ask({ bucket }))).toMatchObject({ code: 'RESTORE_GAP' });
});

test('if sent files are missing, the result is neither "no backup" nor an older state', async () => {
  const scene = new Scene();
  const sentTo = (): Promise<Sent> => Promise.resolve({ txid: 0x18n, lineage: 0n });
  const empty = await scene.choose(await scene.ask({ empty: temporaryFolder() }, { sentTo }));
  expect(empty).toMatchObject({
    code: 'REPLICA_DESTINATION_NOT_FOUND',
    message: expect.stringContaining('TXID 0000000000000018 was sent there') as string,
  });
  const older = { older: bucketUpTo('0000000000000012') };
  expect(await scene.choose(await scene.ask(older, { sentTo }))).toMatchObject({
    code: 'RESTORE_GAP',
    message: expect.stringContaining('to restore that state, use -txid 0000000000000012') as string,
  });
  // The lost state may exist at another destination, with a known lineage or not.
  const others = { older: older.older, whole: bucketUpTo('0000000000000018') };
  const byName: SurveyOptions['sentTo'] = async ({ name }) =>
    name === 'older' ? { txid: 0x19n, lineage: 0n } : undefined;
  const lost = await scene.ask(others, { sentTo: byName });
  expect(await scene.choose(lost)).toBe('older+whole whole');
  const upToDate = { same: bucketUpTo('0000000000000018'), newer: goldenBucket() };
  expect(await scene.choose(await scene.ask(upToDate, { sentTo }))).toBe('newer+same newer same');
});

test('for a time, a destination that ends earlier comes last, and for a TXID it is skipped', async () => {
  const scene = new Scene();
  const [{ at, txid }] = expectedOf().slice(-2) as [Expected];
  const targets = [
    ['behind+far far behind', { kind: 'timestamp', at: new Date(at) }],
    ['behind+far far', { kind: 'txid', txid: parseTXID(txid) }],
  ] as const;
  const places = { behind: bucketUpTo('0000000000000012'), far: goldenBucket() };
  for (const [expected, target] of targets) {
    const answers = await scene.ask(places, { target });
    expect(await scene.choose(answers, 'nobody', target)).toBe(expected);
  }
});

test('for a time after all states, a destination that may have a newer one stops a script', async () => {
  const scene = new Scene();
  const target = { kind: 'timestamp', at: new Date() } as const;
  const damaged = goldenBucket();
  removeFiles(damaged, /-0{14}18\.ltx$/);
  const places = { damaged, behind: bucketUpTo('0000000000000012') };
  const answers = await scene.ask(places, { target });
  expect(await scene.choose(answers, 'nobody', target)).toMatchObject({ code: 'RESTORE_GAP' });
  expect(await scene.choose(answers, 'a person', target)).toBe('behind');
  expect(scene.log.text).toContain('damaged is left out');
  const sentTo = (): Promise<Sent> => Promise.resolve({ txid: 99n, lineage: 0n });
  const [lost] = await scene.ask({ lost: goldenBucket() }, { target, sentTo });
  expect(lost).toMatchObject({ kind: 'unusable', error: { code: 'RESTORE_GAP' } });
});

test('if no destination has the time, each is named with its first moment', async () => {
  const scene = new Scene();
  const target = { kind: 'timestamp', at: new Date(0) } as const;
  const places = { one: goldenBucket(), two: bucketUpTo('0000000000000012') };
  const answers = await scene.ask(places, { target });
  const error = (await scene.choose(answers, 'a person', target)) as ReplicationError;
  expect(error.code).toBe('RESTORE_OUT_OF_RANGE');
  for (const [name, folder] of Object.entries(places)) {
    expect(error.message).toContain(
      `${name} (file://${folder}): there is a backup, but not of 1970-`,
    );
  }
  expect(error.message).toMatch(
    /the first moment that can be restored is 2026-\S+ \(TXID 0{15}1\)/,
  );
});

test('a failed request is reported rather than a missing time', async () => {
  const scene = new Scene();
  const target = { kind: 'timestamp', at: new Date(0) } as const;
  const gone = s3At(await closedEndpoint());
  const answers = await scene.ask({ range: goldenBucket(), gone }, { target });
  expect(await scene.choose(answers, 'a person', target)).toMatchObject({
    code: 'REPLICA_UNAVAILABLE',
  });
  const alone = await scene.ask({ range: goldenBucket() }, { target });
  expect(await scene.choose(alone, 'a person', target)).toMatchObject({
    code: 'RESTORE_OUT_OF_RANGE',
  });
});

test('damage that no listing shows is found when the destination is read', async () => {
  const scene = new Scene();
  const damaged = goldenBucket();
  damageBucket(damaged, latest ?? '');
  const chosen = await scene.choose(await scene.ask({ damaged, whole: goldenBucket() }), 'nobody');
  expect(String(chosen).split(' ').sort()).toEqual(['damaged', 'damaged+whole', 'whole']);
});

test('a destination that hangs is skipped after another has responded', async () => {
  const scene = new Scene();
  const { endpoint } = await startSilentServer();
  const places = { hangs: s3At(endpoint), answers: goldenBucket() };
  const answers = await scene.ask(places, { responseMsMax: 50 });
  expect(await scene.choose(answers)).toBe('answers');
  expect(scene.log.text).toMatch(
    /hangs is left out: it did not answer within 0\.05 s after another destination did/,
  );
});

test('an interrupt ends the search with its reason', async () => {
  const scene = new Scene();
  const { endpoint, connected } = await startSilentServer();
  const controller = new AbortController();
  const asking = scene.ask({ hangs: s3At(endpoint) }, { signal: controller.signal });
  await connected;
  const reason = new Error('enough');
  controller.abort(reason);
  const error: unknown = await asking.catch((thrown: unknown) => thrown);
  expect(error).toBe(reason);
  expect(isError(error)).toBe(false);
});
