/** Litestream restores and continues a replica after a start that sent only the changed pages. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { App, compare } from '../recovery/app.ts';
import { Sidecar } from '../recovery/sidecar.ts';
import { describeWith, needTool, type Tool } from '../support/require.ts';
import { until } from '../support/wait.ts';
import { Litestream } from './litestream.ts';

const VERSIONS: readonly Tool[] = ['litestream-0.5.17', 'litestream-0.5.18'];

for (const version of VERSIONS) {
  describeWith([version], `after changed pages, ${version}`, () => {
    test('restores the replica and continues it', { timeout: 60_000 }, async () => {
      const app = new App();
      app.add(3000);
      for (let run = 0; run < 3; run++) {
        const sidecar = new Sidecar(app.replicatedTo('a'));
        const { kind } = await sidecar.beginning();
        expect(kind).toBe(run === 0 ? 'full snapshot' : 'changed pages');
        await sidecar.settled();
        await sidecar.stop();
        app.db.exec(`DELETE FROM t WHERE id < ${run * 100}`);
        app.add(30);
        app.close();
      }
      const last = new Sidecar(app.replicatedTo('a'));
      await last.settled();
      await last.stop();

      const litestream = new Litestream(needTool(version), app.path, app.bucket('a'));
      onTestFinished(() => litestream.stop('SIGKILL'));
      const restored = path.join(app.folder, 'by-litestream.db');
      expect(litestream.restore(restored)).toBeUndefined();
      expect(compare(fs.readFileSync(restored), app.bytes())).toBe('equal');

      litestream.start();
      app.add(50);
      await until('Litestream has sent the new rows', async () => {
        return compare(await app.restored('a'), app.bytes()) === 'equal';
      });
      await litestream.stop('SIGTERM');
      expect(litestream.log).not.toMatch(/level=ERROR/);
      fs.rmSync(restored);
      expect(litestream.restore(restored)).toBeUndefined();
      expect(compare(fs.readFileSync(restored), app.bytes())).toBe('equal');
    });
  });
}
