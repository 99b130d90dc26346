/** Completion scripts for shells, generated from the table of commands. */

import { nameOf } from '../help.ts';
import type { Command, Flag } from '../surface/command.ts';

export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type ShellName = (typeof SHELLS)[number];

export function renderCompletion(shell: ShellName, table: readonly Command[]): string {
  const commands = table
    .filter(({ support }) => support.kind === 'works')
    .map((command) => ({
      name: command.name,
      help: command.help,
      verbs: verbsOf(command),
      flags: command.flags.filter(({ support }) => support.kind === 'works'),
    }));
  return RENDERERS[shell](commands);
}

interface Completed {
  readonly name: string;
  readonly help: string;
  /** Words that may follow the command. */
  readonly verbs: readonly string[];
  readonly flags: readonly Flag[];
}

/** "check" of "config check [flags]", and the words of "completion bash|zsh". */
function verbsOf({ usage }: Command): string[] {
  const [, word = ''] = usage.split(' ');
  return /^[a-z|]+$/.test(word) ? word.split('|') : [];
}

const RENDERERS: Readonly<Record<ShellName, (commands: readonly Completed[]) => string>> = {
  bash: renderBash,
  zsh: renderZsh,
  fish: renderFish,
  powershell: renderPowerShell,
};

function namesOf(flags: readonly Flag[]): string {
  return flags.map(({ name }) => `-${name}`).join(' ');
}

/** An empty answer makes bash complete file names. */
function renderBash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, verbs, flags }) => {
    const valued = flags.filter(({ kind }) => kind === 'text');
    return `    ${name}) flags='${namesOf(flags)}' valued=' ${namesOf(valued)} ' verbs='${verbs.join(' ')}' ;;`;
  });
  return `# Completion of sluice for bash. In ~/.bashrc: source <(sluice completion bash)
_sluice() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local flags= valued= verbs=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')}' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  # The value of a flag: a file name, if anything.
  case "$valued" in *" \${previous/#--/-} "*) return ;; esac
  case $current in
    --*) COMPREPLY=($(compgen -P - -W "$flags" -- "\${current#-}")) ;;
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) [ "$COMP_CWORD" -ne 2 ] || COMPREPLY=($(compgen -W "$verbs" -- "$current")) ;;
  esac
}
complete -o default -F _sluice sluice
`;
}

function renderZsh(commands: readonly Completed[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const described = commands.map(({ name, help }) => `    ${quote(`${name}:${help}`)}`);
  const cases = commands.map(({ name, verbs, flags }) => {
    const words = flags.map((flag) => {
      const help = flag.help.replaceAll(/[\\[\]:]/g, '\\$&');
      const value = flag.kind === 'text' ? `:${flag.value ?? ''}:_files` : '';
      return quote(`-${flag.name}[${help}]${value}`);
    });
    const first = verbs.length > 0 ? [quote(`1:verb:(${verbs.join(' ')})`)] : [];
    return `    ${name}) _arguments ${[...words, ...first, quote('*:file:_files')].join(' ')} ;;`;
  });
  return `#compdef sluice
# Completion of sluice for zsh. As a file _sluice in a folder of $fpath, or in ~/.zshrc after compinit:
# source <(sluice completion zsh)
_sluice() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
    *) _files ;;
  esac
}
if [ "$funcstack[1]" = _sluice ]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`;
}

function renderFish(commands: readonly Completed[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
  const lines = commands.flatMap(({ name, help, verbs, flags }) => [
    `complete -c sluice -f -n __fish_use_subcommand -a ${name} -d ${quote(help)}`,
    ...verbs.map((verb) => `complete -c sluice -f -n ${quote(seen(name))} -a ${verb}`),
    ...flags.map((flag) => {
      const value = flag.kind === 'text' ? ' -r' : '';
      return `complete -c sluice -n ${quote(seen(name))} -o ${flag.name}${value} -d ${quote(flag.help)}`;
    }),
  ]);
  return `# Completion of sluice for fish: sluice completion fish > ~/.config/fish/completions/sluice.fish
${lines.join('\n')}
`;
}

function seen(name: string): string {
  return `__fish_seen_subcommand_from ${name}`;
}

function renderPowerShell(commands: readonly Completed[]): string {
  const quote = (text: string): string => `'${text.replaceAll(/['‘’]/g, '$&$&')}'`;
  const entries = commands.map(({ name, verbs, flags }) => {
    const words = [
      ...verbs.map((verb) => [verb, verb]),
      ...flags.map((flag) => [`-${flag.name}`, `${nameOf(flag)}: ${flag.help}`]),
    ];
    const pairs = words.map(([word = '', help = '']) => `${quote(word)} = ${quote(help)}`);
    return `    ${quote(name)} = [ordered]@{ ${pairs.join('; ')} }`;
  });
  const names = commands.map(({ name, help }) => `    ${quote(name)} = ${quote(help)}`);
  return `# Completion of sluice for PowerShell. In $PROFILE: sluice completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName sluice -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $commands = [ordered]@{
${names.join('\n')}
  }
  $words = @{
${entries.join('\n')}
  }
  $given = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
  $isFirst = $given.Count -lt 2 -or ($given.Count -eq 2 -and $wordToComplete -ne '')
  $candidates = if ($isFirst) { $commands } else { $words[$given[1]] }
  if ($null -eq $candidates) { return }
  $candidates.GetEnumerator() | Where-Object { $_.Key.StartsWith($wordToComplete) } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_.Key, $_.Key, 'ParameterValue', $_.Value)
  }
}
`;
}
