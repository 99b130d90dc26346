/** Sluice's page, as a handler of web requests for any HTTP server. */

export { createDashboard, type DashboardHandler, type DashboardOptions } from './handler.ts';
export { sluiceSource } from './library-source.ts';
export type {
  CostView,
  DashboardSource,
  DatabaseSettings,
  DestinationHistory,
  DestinationSamples,
  Download,
  CommandOrder,
  DownloadOrder,
  DrillResultView,
  DrillSummary,
  ErrorCount,
  GapView,
  LevelView,
  PlannedFile,
  PlanTarget,
  PlanView,
  RestoreOrder,
  RestoreResult,
  Samples,
  SpanView,
  StateView,
} from './source.ts';
