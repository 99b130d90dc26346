/**
 * Time of a scrape with 5,000 databases: their status, the results of their drills, and the text of /metrics. The status
 * is computed by real replications of fewer databases, each of which answers for a hundred.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Destination, openReplica, replicate, type DatabaseStatus } from '@sluice/core';
import { openMemoryStore } from '@sluice/core/backend/testing';
import { startHTTP } from '../../apps/cli/src/http/start.ts';
import { inFolder, print, round } from './bench.ts';

const DATABASES = 5_000;
const REAL = 50;
const SCRAPES = 9;
const MS_MAX = 200;
