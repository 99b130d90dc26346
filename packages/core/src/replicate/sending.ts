/** One staged file to one destination. */

import fs from 'node:fs';
import type { Capabilities } from '../replica/backend.ts';
import type { LTXBody, LTXFileInfo, LTXFileRef, ReplicaClient } from '../replica/client.ts';
import type { SentRecord } from './admission.ts';
import { bodyAs } from './bodies.ts';
import type { SeedSource } from './next.ts';

export interface OpenReplica {
  readonly client: ReplicaClient;
  readonly capabilities: Capabilities;
}

export interface Sending {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
  readonly onBytes: () => void;
  readonly signal: AbortSignal;
}

/**
 * Level 0 is written only where nobody wrote it before, as far as the destination can say.
 * 'gone' where the staged file was freed before it was sent: a laggard's, beyond what may be staged.
 */
export async function sendFile(
  { client, capabilities }: OpenReplica,
  { ref, source, onBytes, signal }: Sending,
): Promise<{ info: LTXFileInfo; sent: SentRecord } | 'gone'> {
  try {
    const { body, checksum } = await bodyAs(ref, source, onBytes);
    const isConditional = ref.level === 0 && mayBeConditional(capabilities, body);
    const condition = isConditional ? 'if-absent' : 'none';
    const info = await client.writeFile(ref, body, { condition, signal });
    return { info, sent: { txid: ref.maxTXID, sizeBytes: body.sizeBytes, checksum } };
  } catch (error) {
    if (signal.aborted || fs.existsSync(source.path)) throw error;
    return 'gone';
  }
}

function mayBeConditional({ ifAbsent }: Capabilities, body: LTXBody): boolean {
  if (ifAbsent === undefined) return false;
  return ifAbsent === 'any-size' || body.sizeBytes <= ifAbsent.sizeMax;
}
