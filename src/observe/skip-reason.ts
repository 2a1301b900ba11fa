/** Why a command in the stream is not sent. */
export const SKIP_REASONS = [
  'filtered',
  'split-by-filter',
  'flush-ignored',
  'publish-off',
  'functions-off',
  'own-key-in-command',
  'not-ours',
  'too-large',
  'server-message',
  'of-arrival',
] as const;

export type SkipReason = (typeof SKIP_REASONS)[number];
