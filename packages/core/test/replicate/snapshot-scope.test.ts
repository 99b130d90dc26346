/** An uploader, and full snapshots that are made for other destinations. */

import { describe, expect, test } from 'vitest';
import type { StagedSnapshot } from '../../src/replicate/backlog.ts';
import { Scene } from './scene.ts';

const HOUR_MS = 3_600_000;

describe('a snapshot that is staged for destinations with a shorter interval', () => {
  const SCOPE = { intervalMs: HOUR_MS, earlyMs: HOUR_MS / 10 };

  async function withSnapshot(): Promise<Scene> {
    const scene = new Scene().start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    scene.staged.commit();
    scene.staged.takeSnapshot(SCOPE);
    expect(await scene.drained()).toBe('complete');
    return scene;
  }

  test('is not sent before its own interval is over, and level 0 continues', async () => {
    const scene = await withSnapshot();
    const snapshot = scene.staged.snapshot as StagedSnapshot;
    expect(scene.uploader.lacksSnapshot(snapshot)).toBe(false);
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    expect(await scene.names()).toEqual(['0/1-1', '0/2-2', '0/3-3', '9/1-1']);
    scene.later(24 * HOUR_MS - SCOPE.earlyMs);
    await scene.until('it is sent', () => scene.uploader.newestSnapshot?.txid === 2n);
    expect(scene.uploader.lacksSnapshot(snapshot)).toBe(false);
    await scene.expectRestored();
  });

  test('is sent if increments in between are no longer staged', async () => {
    const scene = new Scene().start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    scene.staged.commit();
    scene.staged.takeSnapshot(SCOPE);
    scene.staged.commit();
    scene.staged.backlog.release(2n); // it was too slow
    expect(scene.uploader.lacksSnapshot(scene.staged.snapshot as StagedSnapshot)).toBe(true);
    expect(await scene.drained()).toBe('complete');
    expect(scene.needs).toEqual([]);
    expect((await scene.names()).filter((name) => name.startsWith('9/'))).toContain('9/1-2');
    await scene.expectRestored();
  });

  test('is sent to a destination that has lost its own', async () => {
    const scene = await withSnapshot();
    scene.remove(9, 1);
    scene.remove(0, 1);
    scene.later(HOUR_MS);
    await scene.until('it is seeded again', () => scene.uploader.newestSnapshot?.txid === 2n);
    expect(await scene.drained()).toBe('complete');
    expect(scene.needs).toEqual([]);
    await scene.expectRestored();
  });
});
