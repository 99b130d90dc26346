/** The public API of Sluice: replication, restore, and their types and errors. */

export { ReplicationError, isError, messageOf, ERROR_CODES, type ErrorCode } from './error.ts';
export { DATABASE_DEFAULTS, type DatabaseOptions } from './database/options.ts';
export type { Absence } from './database/events.ts';
export {
  completeOptions,
  defaultMetaPath,
  replicate,
  type Command,
  type Commands,
  type DrainOptions,
  type ReplicatedDatabase,
  type ReplicateOptions,
  type Replicator,
} from './replicate/replicate.ts';
export { loggerFor, serving } from './replicate/logging.ts';
export type { ReplicaTarget } from './replicate/status/status.ts';
export { lastSentTo } from './replicate/record.ts';
export { describeDamage } from './replicate/destination/admission.ts';
export type { OpenReplica } from './replicate/destination/sender.ts';
export type {
  DatabaseReport,
  DatabaseState,
  DatabaseStatus,
  DestinationReport,
  DestinationStatus,
  StatusError,
  SyncReport,
} from './replicate/status/status.ts';
export {
  ageFacts,
  evaluateHealth,
  lagMs,
  runningLimits,
  type DatabaseFacts,
  type DestinationFacts,
  type Limits,
  type Problem,
  type Stage,
  type Verdict,
} from './replicate/status/verdict.ts';
export {
  ageOfWriting,
  stateOfWriter,
  type Writer,
  type WriterState,
} from './replicate/status/writer.ts';
export { areSameMarks, readFileMarks, type FileMarks } from './replicate/status/file-marks.ts';
export { systemClock, type Clock } from './clock.ts';
export { planRestore, type PlanTarget, type RestorePlan } from './restore/plan/plan.ts';
export {
  restore,
  type AvoidedFile,
  type RestoreOptions,
  type RestoreProgress,
  type RestoreReport,
} from './restore/restore.ts';
export { checkOutput, isDatabaseAt, type Overwrite } from './restore/output-target.ts';
export type { OutputOwner } from './restore/output.ts';
export { describeHolders, type Holder } from './restore/open-elsewhere.ts';
export { drill, type DrillOptions, type DrillReport, type DrillTarget } from './drill/drill.ts';
export { readDrills, recordDrill, type DrillRecord } from './drill/record.ts';
export type { Comparison, DrillProblem, DrillResult } from './drill/verdict.ts';
export type { RestoreTarget } from './restore/plan/listing.ts';
export type { DatedState, Moment } from './restore/plan/moment.ts';
export type { Gap, LevelTotals, Span } from './history/moments.ts';
export {
  readHistory,
  type DatedSnapshot,
  type HistoryOptions,
  type HistoryReport,
  type UnreadableFile,
  type ListedMoment,
  type Newest,
} from './restore/plan/read-history.ts';
export type { RestoreSource } from './restore/plan/sources.ts';
export { newestOfEachLineage, orderByLineage } from './restore/plan/lineages.ts';
export {
  includesState,
  surveyReplica,
  type NewestFile,
  type SurveyedReplica,
} from './restore/plan/survey.ts';
export { hasBackup, listGenerations, type Generation } from './v03/generations.ts';
export { describeV03, formatIndex } from './v03/layout.ts';
export type { V03Source } from './v03/objects.ts';
export type { V03Plan, V03Target } from './v03/plan.ts';
export { restoreV03, type RestoreV03Options, type RestoreV03Report } from './v03/restore.ts';
export { newestLayout, surveyV03, type LTXTimes, type V03Survey } from './v03/survey.ts';
export { Destination, type DestinationOptions } from './replica/destination.ts';
export { Replica, type ReplicaFiles } from './replica/replica.ts';
export { FileSet } from './replica/file-set.ts';
export { checkDestination, type CheckOptions } from './check/check.ts';
export { connectionFailure } from './check/errors.ts';
export {
  checkFailure,
  type CheckFeature,
  type CheckFigures,
  type CheckProgress,
  type CheckReport,
  type CheckRight,
  type CheckVerdict,
  type FeatureReport,
} from './check/report.ts';
export { Fencing } from './replica/fencing.ts';
export { sqliteVersion } from './database/sqlite/sqlite-version.ts';
export { readFullySync, writeFullySync } from './file-io.ts';
export { allLevelsPrefix, levelPrefix } from './store/layout.ts';
