/** The package `tandem` as a program imports it. What is exported here is kept by semantic versioning; docs/guide/library.md. */

export { startSite, type StartOptions } from './library/start-site.js';
export type {
  LogEntry,
  Patience,
  RunningSite,
  SiteConflict,
  SiteEvents,
  SiteState,
} from './library/running-site.js';
export type {
  Bytes,
  SiteChannelSettings,
  SiteFilterSettings,
  SiteSettings,
  SiteStreamSettings,
  SiteTlsSettings,
} from './library/site-settings.js';
export type { SiteStatus } from './observe/status.js';
export { TandemError, type ErrorCode } from './errors.js';
