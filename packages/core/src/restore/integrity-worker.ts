/** The thread in which SQLite checks a file. No other part of a restore loads SQLite to read. */

import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { assert, messageOf } from '../error.ts';
import type { IntegrityRequest } from './integrity.ts';

assert(parentPort !== null, 'this file runs as a worker');
parentPort.postMessage(ask(workerData as IntegrityRequest));

/** "ok", or SQLite's first complaint. */
function ask({ file, pragma }: IntegrityRequest): string {
  try {
    const database = new Database(file, { readonly: true, fileMustExist: true });
    try {
      return String(database.pragma(`${pragma}(1)`, { simple: true }));
    } finally {
      database.close();
    }
  } catch (error) {
    return messageOf(error);
  }
}
