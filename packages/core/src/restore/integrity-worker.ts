/** The thread in which SQLite checks a file. No other part of a restore loads SQLite to read. */

import Database from 'better-sqlite3';
import { messageOf } from '../error.ts';
import { serve } from '../threads/serve.ts';
import type { IntegrityService } from './integrity.ts';
import { isObstacle, isObstacleComplaint } from './sqlite-obstacle.ts';

serve<IntegrityService>({
  check({ file, pragma }) {
    try {
      const database = new Database(file, { readonly: true, fileMustExist: true });
      try {
        const text = String(database.pragma(`${pragma}(1)`, { simple: true }));
        return { kind: isObstacleComplaint(text) ? 'unchecked' : 'checked', text };
      } finally {
        database.close();
      }
    } catch (error) {
      return { kind: isObstacle(error) ? 'unchecked' : 'checked', text: messageOf(error) };
    }
  },
});
