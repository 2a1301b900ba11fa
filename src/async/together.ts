/**
 * Runs tasks until the first of them ends, or `ended` does; then `end` tells the others to, and they are waited for.
 * @throws what the first one threw
 */
export async function together(options: {
  readonly tasks: readonly Promise<void>[];
  /** Settles with the reason when something the tasks need is gone. */
  readonly ended: Promise<Error>;
  readonly end: () => void;
}): Promise<void> {
  const { tasks, ended, end } = options;
  try {
    await Promise.race([...tasks, ended.then((reason) => Promise.reject(reason))]);
  } finally {
    end();
    await Promise.allSettled(tasks);
  }
}
