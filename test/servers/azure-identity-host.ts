/** A process without key and token that writes, copies and reads a file, and prints the result. */

import { copyFile } from '../support/copy.ts';
import { backend } from '@sluice/azure';
import { bodyFromBytes, readBytes, parseConfig } from '@sluice/core/backend';
import { toTXID, Replica } from '@sluice/core/backend/testing';

const [endpoint = '', bucket = ''] = process.argv.slice(2);
const { config } = parseConfig(backend, { bucket, endpoint });
const destination = await backend.connect(config, { logger: console, access: 'write' });
try {
  const replica = new Replica(destination, 'by-identity');
  const [from, to] = [1n, 2n].map((txid) => ({
    ...{ level: 0, minTXID: toTXID(txid), maxTXID: toTXID(txid) },
  }));
  const bytes = Buffer.from('by identity');
  await replica.writeFile(from!, bodyFromBytes(bytes, new Date(0)));
  await copyFile(replica, from!, to!);
  const { body } = await replica.openFile(to!);
  const read = Buffer.from(await readBytes(body, 100)).toString();
  const listed = await Array.fromAsync(replica.listFiles('all'));
  process.stdout.write(JSON.stringify({ read, listed: listed.length }));
} catch (error) {
  process.stdout.write(
    JSON.stringify({ code: (error as { code: string }).code, error: String(error) }),
  );
} finally {
  await destination.close();
}
