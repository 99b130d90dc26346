/**
 * Restores from the S3 test server, whose answers take 30 ms longer, as over a network, and share a bandwidth if one is
 * given.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { start, type LoggedRequest } from '../../servers/s3/index.ts';
import { S3History, timeOf } from '../../restore/bucket.ts';
import { measure, sha256, type Cost } from './cost.ts';
import { contest, restorers } from './contest.ts';
import { environmentOf, putFile, ROOT, urlOf } from './on-s3.ts';

const DOWNLOAD = fileURLToPath(new URL('./download.main.ts', import.meta.url));
const ROUND_TRIP_MS = 30;
const TXIDS = 7_000;
/** One commit every 30 s: 48 h before the newest. */
const WANTED = TXIDS - (48 * 3600) / 30;

export interface RemoteFigures {
  /** Of `sluice`, `litestream` and `sdk`, a plain download. */
  readonly costs: Readonly<Record<string, Cost>>;
  /** Round trips up to the first request for pages, by program. */
  readonly rounds: Readonly<Record<string, number>>;
}

/** Restores the bucket in `folder`, which is laid out as for a local folder. */
export async function measureOverS3(
  folder: string,
  { runs, bytesPerSecond }: { readonly runs: number; readonly bytesPerSecond?: number },
): Promise<RemoteFigures> {
  const server = await start({ roundTripMs: ROUND_TRIP_MS, bytesPerSecond });
  try {
    const ltx = path.join(folder, 'bucket', 'ltx');
    for (const level of fs.readdirSync(ltx)) {
      for (const name of fs.readdirSync(path.join(ltx, level))) {
        const bytes = fs.readFileSync(path.join(ltx, level, name));
        putFile(server, { level, name, bytes });
      }
    }
    const env = environmentOf(server);
    const output = path.join(folder, 'restored');
    const contenders = restorers(output, urlOf(server));
    const rounds: Record<string, number> = {};
    for (const { name, command } of contenders) {
      server.requests.clear();
      await measure(command, env);
      fs.rmSync(output);
      rounds[name] = roundsToPages(server.requests.all());
    }
    const words = [server.endpoint, server.bucket, `${ROOT}/`, output];
    const download = ['sh', '-c', 'mkdir "$4" && exec "$5" "$6" "$1" "$2" "$3" "$4"', 'sh'];
    const sdk = {
      name: 'sdk',
      command: [...download, ...words, process.execPath, DOWNLOAD],
      isRestore: false,
    };
    const wanted = sha256(path.join(folder, 'expected.db'));
    const costs = await contest([sdk, ...contenders], { runs, output, wanted, env });
    return { costs, rounds };
  } finally {
    await server.stop();
  }
}

/** Requests before the first one for pages, to restore a moment 48 h ago among 7,000 files. */
export async function requestsForMoment(folder: string): Promise<Readonly<Record<string, number>>> {
  const server = await start(); // Litestream sends thousands of requests, one after another
  try {
    const history = new S3History(server, { pages: 3, txids: TXIDS, changes: 1 });
    history.put(9, 1, 1);
    for (let txid = 2; txid <= TXIDS; txid++) {
      history.put(0, txid, txid, { uploadedAt: new Date(timeOf(txid).getTime() + 400) });
    }
    const output = path.join(folder, 'restored');
    const at = new Date(timeOf(WANTED).getTime() + 50).toISOString();
    const counts: Record<string, number> = {};
    for (const { name, command } of restorers(output, urlOf(server), ['-timestamp', at])) {
      server.requests.clear();
      await measure(command, environmentOf(server));
      fs.rmSync(output);
      const requests = server.requests.all();
      counts[name] = requests.findIndex((request) => isForPages(request));
    }
    return counts;
  } finally {
    await server.stop();
  }
}

function roundsToPages(requests: readonly LoggedRequest[]): number {
  return requests.find((request) => isForPages(request))?.round ?? 0;
}

/** A header alone is the first 100 bytes. */
function isForPages({ operation, headers }: LoggedRequest): boolean {
  return operation === 'GetObject' && headers.range !== 'bytes=0-99';
}
