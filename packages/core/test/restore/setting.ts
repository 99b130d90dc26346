/** One bucket, one output path, and helpers to restore from one to the other. */

import fs from 'node:fs';
import path from 'node:path';
import { ReplicationError } from '../../src/error.ts';
import type { RestoreOptions, RestoreReport } from '../../src/restore/options.ts';
import { restore } from '../../src/restore/restore.ts';
import type { RestoreSource } from '../../src/restore/plan/sources.ts';
import { temporaryFolder } from './temporary.ts';

/** One source, unless `sources` has others. */
export type SettingOptions = Partial<RestoreOptions> &
  Pick<RestoreSource, 'client' | 'capabilities'>;

export interface Setting {
  readonly folder: string;
  readonly output: string;
  run(options: SettingOptions): Promise<RestoreReport>;
  /** Runs a restore that must fail and returns its error. */
  fail(options: Parameters<Setting['run']>[0]): Promise<ReplicationError>;
  bytes(): Uint8Array;
  /** Names in the folder. */
  names(): string[];
}

export function newSetting(): Setting {
  const folder = temporaryFolder();
  const output = path.join(folder, 'app.db');
  const run: Setting['run'] = async ({ client, capabilities, ...options }) => {
    const sources = [{ name: 'bucket', client, capabilities }];
    return await restore({ sources, output, target: { kind: 'latest' }, ...options });
  };
  return {
    folder,
    output,
    run,
    async fail(options) {
      try {
        await run(options);
      } catch (error) {
        if (error instanceof ReplicationError) return error;
        throw error;
      }
      throw new Error('the restore succeeded');
    },
    bytes: () => new Uint8Array(fs.readFileSync(output)),
    names: () => fs.readdirSync(folder).sort(),
  };
}
