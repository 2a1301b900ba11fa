/** Which long work a site can do as jobs. The control plane does not know the stages: here each task is given what it needs. */

import type { Config } from './config.js';
import type { Task } from './control/jobs.js';
import type { Logger } from './log.js';
import type { KeyNames } from './redis/keys.js';

export interface TaskParts {
  readonly config: Config;
  readonly keys: KeyNames;
  readonly log: Logger;
}

/** Every task by the name of its kind. */
export function tasksOf(_parts: TaskParts): Readonly<Record<string, Task>> {
  return {};
}
