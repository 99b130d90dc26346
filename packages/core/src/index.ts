/** The public API of Sluice: replication, restore, and their types and errors. */

export {
  ReplicationError,
  isBrokenInvariant,
  isError,
  messageOf,
  ERROR_CODES,
  type DurableFailure,
  type ErrorCode,
} from './error.ts';
export { DATABASE_DEFAULTS, type DatabaseOptions } from './database/options.ts';
export { DEFAULT_LEVELS, LEVELS_MAX, toLevels, type MergeLevel } from './history/levels.ts';
export {
  DELETE_GRACE_MS,
  RETENTION_DEFAULTS,
  type RetentionPolicy,
} from './history/retention-policy.ts';
export type { Absence } from './database/events.ts';
export {
  completeOptions,
  defaultMetaPath,
  replicate,
  type Command,
  type Commands,
  type DatabaseHandle,
  type DrainOptions,
  type ReplicatedDatabase,
  type ReplicateOptions,
  type Replicator,
} from './replicate/replicate.ts';
export type { DurableOptions, DurableReport } from './replicate/durable/durability.ts';
export { parseTimeOfDay } from './replicate/levels/snapshot-time.ts';
export { loggerFor, serving } from './replicate/logging.ts';
export type { ReplicaTarget } from './replicate/status/status.ts';
export { lastSentTo } from './replicate/record.ts';
export { resetStaging, type ResetInput, type ResetReport } from './database/staging/reset.ts';
export { reseedAtStart, type Reseed, type StoppedReseed } from './replicate/reseed.ts';
export { recordOrigin, type RestoredBackup } from './replicate/ownership/origin.ts';
export type { LeaseSettings } from './replicate/ownership/lease.ts';
export { describeDamage } from './replicate/destination/admission.ts';
export { openReplica } from './replicate/destination/connection.ts';
export type { OpenReplica } from './replicate/destination/sender.ts';
export { isMissing } from './restore/missing-database.ts';
export type {
  DatabaseReport,
  DatabaseState,
  DatabaseStatus,
  DestinationReport,
  DestinationStatus,
  LevelStatus,
  RetentionStatus,
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
export { systemRandom, type Random } from './random.ts';
export { planRestore, type PlanTarget, type RestorePlan } from './restore/plan/plan.ts';
export { restore } from './restore/restore.ts';
export { unite, type Apart, type United } from './restore/across/unite.ts';
export type { Conflict } from './restore/across/same-files.ts';
export type {
  AvoidedFile,
  ReadSource,
  RestoreOptions,
  RestoreProgress,
  RestoreReport,
} from './restore/options.ts';
export type { Resumed } from './restore/resume/downloads.ts';
export { checkOutput, isDatabaseAt, type Overwrite } from './restore/output-target.ts';
export type { OutputOwner } from './restore/output.ts';
export { describeHolders, type Holder } from './restore/open-elsewhere.ts';
export {
  drill,
  unfinishedDrill,
  type DrillOptions,
  type DrillReport,
  type DrillSource,
  type DrillTarget,
} from './drill/drill.ts';
export { examinationLimitMs, type ExaminationSize } from './drill/examination-limit.ts';
export { drillKept, type KeptDrillOptions } from './drill/warm/drill-kept.ts';
export { readDueDrills, recordDueDrills, type DueRecord } from './drill/due.ts';
export { dueAtStart, type DueTime, type ScheduleState } from './drill/schedule.ts';
export {
  currentFailure,
  readDrills,
  recordDrill,
  type DrillFailure,
  type DrillRecord,
  type EarlierDrill,
  type DrillStart,
  type RecordedDrill,
} from './drill/record.ts';
export { findSyntaxError } from './drill/mistakes.ts';
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
  type ListedFiles,
  type NewestFile,
  type SurveyedReplica,
} from './restore/plan/survey.ts';
export { hasBackup, listGenerations, type Generation } from './v03/generations.ts';
export { historyOfV03, type V03History, type V03Moment, type V03Span } from './v03/moments.ts';
export { describeV03, formatIndex } from './v03/layout.ts';
export type { V03Source } from './v03/objects.ts';
export { planV03, type V03Plan, type V03Target } from './v03/plan.ts';
export { restoreV03, type RestoreV03Options, type RestoreV03Report } from './v03/restore.ts';
export { newestLayout, surveyV03, type LTXTimes, type V03Survey } from './v03/survey.ts';
export { Destination, type DestinationOptions } from './replica/destination.ts';
export { Containment, ownerOfEscaped } from './store/policy/contained.ts';
export type { RateLimits } from './store/policy/limit-rate.ts';
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
export {
  Encryption,
  parseIdentities,
  problemWithRecipient,
  type EncryptionKeys,
} from './encryption/age.ts';
export { decryptReplica, type DecryptReport } from './rekey/decrypt.ts';
export { rekey, type RekeyReport } from './rekey/rekey.ts';
export { Fencing } from './replica/fencing.ts';
export { readScrubs, recordScrubs, type DamagedObject, type ScrubRecord } from './scrub/record.ts';
export {
  isSuperseded,
  scrubNameOf,
  scrubSlice,
  type ScrubFinding,
  type ScrubSlice,
} from './scrub/scrub.ts';
export { repair, type RepairOptions, type RepairTarget } from './repair/repair.ts';
export {
  isWithoutBackup,
  outcomeOf,
  type DamagedFile,
  type DestinationRepair,
  type RepairOutcome,
  type RepairReport,
} from './repair/report.ts';
export type { LostStates } from './repair/plan.ts';
export {
  readRepair,
  recordRepair,
  type RepairRecord,
  type RepairedDestination,
} from './repair/record.ts';
export type { Part } from './repair/parts.ts';
export { sqliteVersion } from './database/sqlite/sqlite-version.ts';
export { callControl, type ControlCall } from './control/client.ts';
export { ControlServer, type ControlCommands } from './control/server.ts';
export {
  databaseCommands,
  describeProcess,
  type ProcessInfo,
} from './library/database-commands.ts';
export type {
  InfoAnswer,
  ReseedAnswer,
  ReseedInput,
  SyncAnswer,
  SyncInput,
} from './library/command-messages.ts';
export { readFullySync, writeFullySync } from './file-io.ts';
export { allLevelsPrefix, levelPrefix } from './store/layout.ts';
export {
  Follower,
  isWarmCopy,
  type CopyStatus,
  type FollowEvent,
  type FollowSource,
} from './warm-copy/follower.ts';
export { promote, type PromoteReport } from './warm-copy/promote.ts';
export { refuseWarmCopy } from './warm-copy/refuse-copy.ts';
export {
  openSluice,
  type Sluice,
  type SluiceDatabase,
  type SluiceDatabaseOptions,
  type SluiceOptions,
} from './library/sluice.ts';
export type { SluiceEvent, SluiceNotice } from './library/events.ts';
export { traceSpans } from './library/spans.ts';
export { dropRepeats } from './library/host/drop-repeats.ts';
