/** Metrics of the last drill, of the scrub and of the last repair of each destination, also of those that nothing is sent to. */

import type { DrillRecord, RepairedDestination, RepairRecord, ScrubRecord } from '@sluice/core';
import { toLabels, toUnix, type Family, type FamilyGroup, type Reading } from './family.ts';

export interface ResultView {
  readonly drill: DrillRecord | undefined;
  readonly scrub: ScrubRecord | undefined;
  readonly repair?: RepairRecord | undefined;
  readonly destination: string;
  /** Unix time in ms. */
  readonly now: number;
}

const DRILL_RESULTS = (['ok', 'failed', 'inconclusive'] as const).map(
  (result) => [result, toLabels({ result })] as const,
);
const REPAIR_RESULTS = (['whole', 'mended', 'open'] as const).map(
  (result) => [result, toLabels({ result })] as const,
);

const gauge = (
  name: string,
  help: string,
  read: (view: ResultView) => Reading,
  labels?: readonly string[],
): Family<ResultView> => ({ name, type: 'gauge', help, labels, read });

const ofDrill = (
  name: string,
  help: string,
  value: (drill: DrillRecord, now: number) => Reading,
  labels?: readonly string[],
): Family<ResultView> => gauge(name, help, ({ drill, now }) => drill && value(drill, now), labels);

const ofRepair = (
  name: string,
  help: string,
  value: (repair: RepairRecord, own: RepairedDestination) => Reading,
  labels?: readonly string[],
): Family<ResultView> => {
  const read = ({ repair, destination }: ResultView): Reading => {
    const own = repair?.destinations.find((each) => each.name === destination);
    return repair === undefined || own === undefined ? undefined : value(repair, own);
  };
  return gauge(name, help, read, labels);
};

const ofScrub = (
  name: string,
  help: string,
  value: (scrub: ScrubRecord) => number | undefined,
): Family<ResultView> => gauge(name, help, ({ scrub }) => scrub && value(scrub));

export const RESULTS: FamilyGroup<ResultView> = {
  title: 'The last drill, the scrub and the last repair of each destination',
  labels: ['db', 'destination'],
  families: [
    ofDrill(
      'sluice_drill_last_success_timestamp_seconds',
      'Unix time of the last drill that was ok',
      ({ lastSuccessAt }) => toUnix(lastSuccessAt),
    ),
    ofDrill(
      'sluice_drill_last_result',
      '1 for the result of the last drill (ok, failed or inconclusive), 0 for the others',
      ({ result }) => DRILL_RESULTS.map(([name, labels]) => [labels, name === result ? 1 : 0]),
      ['result'],
    ),
    ofDrill(
      'sluice_drill_last_warm',
      '1 if the last drill read only files newer than the copy of an earlier one, else 0',
      ({ kind }) => (kind === 'warm' ? 1 : 0),
    ),
    ofDrill(
      'sluice_drill_last_timestamp_seconds',
      'Unix time at which the last drill began',
      ({ at }) => toUnix(at),
    ),
    ofDrill(
      'sluice_drill_age_seconds',
      'Time since the last drill began',
      ({ at }, now) => Math.max(0, now - Date.parse(at)) / 1_000,
    ),
    ofDrill(
      'sluice_drill_restore_seconds',
      'Time that the last full drill needed to restore the database (RTO); absent if it did not get that far',
      ({ restoreMs }) => restoreMs && restoreMs / 1_000,
    ),
    ofDrill(
      'sluice_drill_loss_window_seconds',
      'Age of the newest commit that the last drill could restore (RPO), 0 if nothing was committed since; absent if unknown',
      ({ lossWindowMs }) => lossWindowMs && lossWindowMs / 1_000,
    ),
    ofScrub(
      'sluice_scrub_last_success_timestamp_seconds',
      'Unix time at which a round of the scrub was last complete with nothing damaged at its end',
      ({ lastSuccessAt }) => toUnix(lastSuccessAt),
    ),
    ofScrub(
      'sluice_scrub_objects',
      'Files read in the present or last round',
      ({ objects }) => objects,
    ),
    ofScrub('sluice_scrub_bytes', 'Size of these files', ({ bytes }) => bytes),
    ofScrub(
      'sluice_scrub_damaged_objects',
      'Files that the scrub found damaged and that are not repaired',
      ({ damaged }) => damaged.filter(({ superseded }) => superseded !== true).length,
    ),
    ofScrub(
      'sluice_scrub_repaired_objects',
      'Files that were repaired in the present or last round',
      ({ mended }) => mended,
    ),
    ofRepair(
      'sluice_repair_last_timestamp_seconds',
      'Unix time at which the last repair of the database began, by a command',
      ({ at }) => toUnix(at),
    ),
    ofRepair(
      'sluice_repair_last_result',
      '1 for the result of that repair (whole, mended, or open: something is not mended), 0 for the others',
      ({ result }) => REPAIR_RESULTS.map(([name, labels]) => [labels, name === result ? 1 : 0]),
      ['result'],
    ),
    ofRepair(
      'sluice_repair_last_copied_files',
      'Files that it copied to this destination',
      (_, { copiedFiles }) => copiedFiles,
    ),
    ofRepair(
      'sluice_repair_last_copied_bytes',
      'Size of these files',
      (_, { copiedBytes }) => copiedBytes,
    ),
  ],
};
