import { readFileSync } from 'node:fs';

/** Lines of an ACL file as docker-compose.yml gives them to the servers of a site. */
export interface ComposeAccounts {
  readonly aclLines: string[];
  /** By the names of the variables in .env.example. */
  readonly passwords: Readonly<Record<string, string>>;
}

/**
 * The accounts of one site of docker-compose.yml, for the pair `demo`, with passwords made from the names of the variables. Rejects a
 * file that has none: a test about them must not pass without.
 */
export function composeAccounts(site: 'east' | 'west'): ComposeAccounts {
  const compose = readFileSync('docker-compose.yml', 'utf8');
  const block = new RegExp(`\\n  ${site}-users:\\n    content: \\|\\n((?:      .*\\n)+)`).exec(compose)?.[1];
  if (block === undefined) throw new Error(`docker-compose.yml has no accounts of ${site}`);
  const passwords: Record<string, string> = {};
  const aclLines = block
    .trimEnd()
    .split('\n')
    .map((line) =>
      line.trim().replace(/\$\{(\w+)\}/g, (_, name: string) => (passwords[name] = name.toLowerCase())),
    );
  return { aclLines, passwords };
}
