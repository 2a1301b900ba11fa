/** What becomes of concurrent writes: a rule's word for it, in the list of conflicts and in the counters. */
export const CONFLICT_OUTCOMES = [
  'own-stays',
  'theirs-stays',
  'merged',
  'clash-resolved',
  'clash-awaited',
  'state-asked',
] as const;

export type ConflictOutcome = (typeof CONFLICT_OUTCOMES)[number];

/**
 * One word for what became of all the pieces of a command. Where both sites wrote the same cells, the site whose value stayed in all of
 * them is named, whatever else of the command met nothing.
 */
export function together(outcomes: readonly ConflictOutcome[]): ConflictOutcome {
  for (const strong of ['clash-resolved', 'clash-awaited', 'state-asked'] as const)
    if (outcomes.includes(strong)) return strong;
  const decided = new Set(outcomes.filter((one) => one !== 'merged'));
  const [first = 'merged'] = decided;
  return decided.size === 1 ? first : 'merged';
}
