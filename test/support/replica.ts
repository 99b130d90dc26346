/** Opens folders as destinations, as the command does. */

import { type OpenReplica, Destination } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { backend as file } from '@sluice/file';
import { parseConfig } from '@sluice/core/backend';

const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function openFolder(
  folder: string,
  access: 'read' | 'write' = 'read',
): Promise<OpenReplica> {
  const { config, path } = parseConfig(file, { type: 'file', path: folder });
  const destination = new Destination(await file.connect(config, { logger: SILENT, access }));
  return { client: destination.replica(path), capabilities: destination.capabilities };
}
