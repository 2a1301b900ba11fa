import type { Command } from 'commander';
import {
  completionTree,
  type CompletedCommand,
  type CompletedOption,
  type CompletionTree,
  type Word,
} from './completion-tree.js';

export type Shell = 'bash' | 'zsh' | 'fish';

/** The script with which a shell completes the commands of a program. It needs nothing beside the shell. */
export function completionOf(program: Command, shell: Shell): string {
  const tree = completionTree(program);
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](tree);
}

/** `/run|/check`: what `case` looks for to find the command that is completed. */
function pathsOf({ commands }: CompletionTree): string {
  return commands
    .map(({ path }) => path)
    .filter((path) => path !== '/')
    .join('|');
}

/** By what they take, the names of the options of all commands that take something. */
function optionsByValues({ commands, settings }: CompletionTree): {
  files: string[];
  any: string[];
  words: [names: string[], words: readonly string[]][];
} {
  const found = { files: new Set<string>(), any: new Set<string>(), words: new Map<string, Set<string>>() };
  for (const { names, values } of [...commands.flatMap(({ options }) => options), ...settings]) {
    if (values === 'none') continue;
    const key = values === 'file' || values === 'any' ? '' : values.join(' ');
    const group = values === 'file' ? found.files : values === 'any' ? found.any : found.words.get(key);
    if (group === undefined) found.words.set(key, new Set(names));
    else for (const name of names) group.add(name);
  }
  return {
    files: [...found.files],
    any: [...found.any],
    words: [...found.words].map(([words, names]) => [[...names], words.split(' ')]),
  };
}

function namesOf(options: readonly CompletedOption[]): string {
  return options.flatMap(({ names }) => names).join(' ');
}

function bashScript(tree: CompletionTree): string {
  const { files, any, words } = optionsByValues(tree);
  return `# Completion of tandem in bash. For one shell: source <(tandem completion bash)
_tandem() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local at='' words='' options='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
      ${pathsOf(tree)}) at="$at/\${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$previous" in
    ${files.join('|')})
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$current"))
      return
      ;;
${words.map(([names, values]) => `    ${names.join('|')}) COMPREPLY=($(compgen -W '${values.join(' ')}' -- "$current")); return ;;`).join('\n')}
    ${any.join('|')}) return ;;
  esac
  local settings='${namesOf(tree.settings)}'
  case "\${at:-/}" in
${tree.commands.map(bashCase).join('\n')}
  esac
  if [[ $current == -* ]]; then words=$options; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _tandem tandem
`;
}

function bashCase({ path, words, options, takesSettings }: CompletedCommand): string {
  const names = words.map(({ name }) => name).join(' ');
  const all = `${namesOf(options)}${takesSettings ? ' $settings' : ''}`;
  return `    ${path}) words='${names}' options="${all}" ;;`;
}

function zshScript(tree: CompletionTree): string {
  const { files, any, words: choices } = optionsByValues(tree);
  return `#compdef tandem
# Completion of tandem in zsh. For one shell: source <(tandem completion zsh)
_tandem() {
  local at='' word
  local -a found options settings
  for word in \${words[2,CURRENT-1]}; do
    case "$at/$word" in
      (${pathsOf(tree)}) at="$at/$word" ;;
    esac
  done
  case "\${words[CURRENT-1]}" in
    (${files.join('|')}) _files; return ;;
${choices.map(([names, values]) => `    (${names.join('|')}) compadd -- ${values.join(' ')}; return ;;`).join('\n')}
    (${any.join('|')}) return ;;
  esac
  settings=(
${tree.settings.flatMap(zshOption).join('\n')}
  )
  case "\${at:-/}" in
${tree.commands.map(zshCase).join('\n')}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o option options
  else
    _describe command found
  fi
}
if [[ "\${funcstack[1]}" == _tandem ]]; then
  _tandem "$@"
else
  compdef _tandem tandem
fi
`;
}

function zshCase({ path, words, options, takesSettings }: CompletedCommand): string {
  return `    (${path})
      found=(
${words.map(zshWord).join('\n')}
      )
      options=(
${options.flatMap(zshOption).join('\n')}
      )
${takesSettings ? '      options+=($settings)\n' : ''}      ;;`;
}

function zshOption({ names, about }: CompletedOption): string[] {
  return names.map((name) => zshWord({ name, about }));
}

function zshWord({ name, about }: Word): string {
  return `        '${name}:${about.replaceAll("'", String.raw`'\''`)}'`;
}

function fishScript(tree: CompletionTree): string {
  const settable = tree.commands.filter(({ takesSettings }) => takesSettings).map(({ path }) => path);
  return `# Completion of tandem in fish. For one shell: tandem completion fish | source
function __tandem_at
    set -l at ''
    set -l given (commandline -opc)
    for word in $given[2..-1]
        switch "$at/$word"
            case ${pathsOf(tree).replaceAll('|', ' ')}
                set at "$at/$word"
        end
    end
    test -n "$at"; or set at /
    contains -- "$at" $argv
end
complete -c tandem -f
${tree.commands.flatMap(fishLines).join('\n')}
${tree.settings.map((option) => fishOption(option, settable.join(' '))).join('\n')}
`;
}

function fishLines({ path, words, options }: CompletedCommand): string[] {
  return [
    ...words.map(
      ({ name, about }) => `complete -c tandem -n '__tandem_at ${path}' -a ${name} -d ${fishText(about)}`,
    ),
    ...options.map((option) => fishOption(option, path)),
  ];
}

function fishOption({ names, about, values }: CompletedOption, paths: string): string {
  const named = names
    .map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
    .join(' ');
  const taken =
    values === 'none'
      ? ''
      : values === 'any'
        ? ' -x'
        : values === 'file'
          ? ' -r -F'
          : ` -x -a '${values.join(' ')}'`;
  return `complete -c tandem -n '__tandem_at ${paths}' ${named}${taken} -d ${fishText(about)}`;
}

function fishText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}
