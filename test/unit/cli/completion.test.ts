import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { completionOf, type Shell } from '../../../src/cli/completion.js';
import { addFlags } from '../../../src/cli/options.js';
import { programOf } from '../../../src/cli/program.js';
import { SETTINGS } from '../../../src/config/settings.js';

const program = programOf(() => {}, false);
const SHELLS: readonly Shell[] = ['bash', 'zsh', 'fish'];
const found = SHELLS.filter((shell) => spawnSync(shell, ['--version']).status === 0);

/** Every command, and what it is called by. */
function commandsOf(command: Command, words: readonly string[] = []): [words: readonly string[], Command][] {
  const below = command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]));
  return [[words, command], ...below];
}

/** What bash offers behind a line that is typed so far. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionOf(program, 'bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_tandem
printf '%s\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: 'src' })
    .split('\n')
    .filter((one) => one !== '');
}

describe('completion', () => {
  it.each(found)('is a script that %s accepts', (shell) => {
    const folder = mkdtempSync(join(tmpdir(), 'tandem-completion-'));
    const file = join(folder, shell);
    writeFileSync(file, completionOf(program, shell));
    const { status, stderr } = spawnSync(shell, ['-n', file]);
    rmSync(folder, { recursive: true });
    expect([status, stderr.toString()]).toEqual([0, '']);
  });

  it('offers every command, every word of an argument and every option', () => {
    const commands = commandsOf(program);
    expect(commands.length).toBeGreaterThan(15);
    for (const [words, command] of commands) {
      addFlags(command);
      const line = ['tandem', ...words].join(' ');
      const options = command.options.flatMap(({ long }) => long ?? []);
      const names = [
        ...command.commands.map((one) => one.name()),
        ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      ];
      expect(offered(`${line} -`), line).toEqual(expect.arrayContaining([...options, '--help']));
      expect(offered(`${line} `), line).toEqual(expect.arrayContaining(names));
    }
    expect(offered('tandem run --')).toEqual(expect.arrayContaining(SETTINGS.map(({ flag }) => `--${flag}`)));
  });

  it.each(SHELLS)('names all of them to %s', (shell) => {
    const script = completionOf(program, shell);
    const spelt = shell === 'fish' ? (name: string) => `-l ${name.slice(2)} ` : (name: string) => name;
    for (const [words, command] of commandsOf(program)) {
      addFlags(command);
      for (const { long } of command.options) expect(script).toContain(spelt(long!));
      for (const word of words) expect(script).toContain(word);
    }
  });

  it.each([
    ['tandem jo', ['jobs']],
    ['tandem jobs re', ['resume', 'retry']],
    ['tandem jobs retry --js', ['--json']],
    ['tandem rejected re', ['retry']],
    [
      'tandem rejected list --co',
      [
        '--config',
        '--count',
        '--compress',
        '--conflicts-kept',
        '--conflict-value-bytes',
        '--connect-timeout-ms',
        '--command-timeout-ms',
      ],
    ],
    ['tandem pause ', ['outbound', 'inbound']],
    ['tandem pause --flush re', ['replicate']],
    ['tandem run --http-data ', ['true', 'false']],
    ['tandem run -c vers', ['version.ts']],
    ['tandem run --pair ', []],
    ['tandem help ru', ['run']],
    ['tandem completion z', ['zsh']],
  ])('of "%s" is %j', (line, words) => {
    expect(offered(line)).toEqual(words);
  });

  it('takes an option for the same thing in every command', () => {
    const taking = new Map<string, boolean>();
    for (const [, command] of commandsOf(program))
      for (const { long, required } of command.options) {
        expect(taking.get(long!) ?? required, long).toBe(required);
        taking.set(long!, required);
      }
  });
});

it('tells every command and option in lines of 80 characters', () => {
  for (const [words, command] of commandsOf(programOf(() => {}, true))) {
    addFlags(command);
    const lines = command.helpInformation().split('\n');
    expect(
      lines.filter((line) => line.length > 80),
      words.join(' '),
    ).toEqual([]);
  }
});
