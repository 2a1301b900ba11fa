/**
 * Empties collections that are used again for each transaction. Nearly always they are empty: to clear them all the same would make a
 * new table each time, which gets as old as the collection.
 */
export function empty(...collections: readonly { readonly size: number; clear(): void }[]): void {
  for (const collection of collections) if (collection.size > 0) collection.clear();
}
