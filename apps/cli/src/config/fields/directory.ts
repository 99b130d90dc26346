/** Keys of a directory whose databases are replicated, as in Litestream 0.5. */

import { boolean, filePath, text } from '@sluice/core/backend/config';
import { problemWithPattern } from '../pattern.ts';
import { problemWithPath, toDatabasePath } from './path.ts';

export const DIRECTORY = {
  dir: filePath('instead of path: a folder; each database in it is replicated; see below', {
    example: '/data/tenants',
    check: problemWithPath,
  })
    .transform(toDatabasePath)
    .optional(),
  pattern: text('of dir, required: which names are databases: *, ? and [a-z]', {
    example: '*.db',
    check: problemWithPattern,
  }).optional(),
  recursive: boolean('of dir: also the folders below it', { example: true }).prefault(false),
  watch: boolean('of dir: databases that appear or are removed later count too', {
    example: false,
  }).prefault(true),
  'meta-dir': filePath('of dir: the folder for all staging folders', {
    example: '/data/staging',
    defaultText: 'next to each database',
    check: problemWithPath,
  })
    .transform(toDatabasePath)
    .optional(),
} as const;
