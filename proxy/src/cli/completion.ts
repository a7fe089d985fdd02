/** `agw completion`: a script by which a shell completes commands and their options; of the table of commands. */
import { nearestWord } from '../config/nearest-word.js';
import { CliError, type Command } from './command.js';

export type Commands = Readonly<Record<string, Command>>;

/** What may come next, by the words before. */
interface Choice {
  /** Words after the program's name. */
  readonly after: string;
  readonly words: readonly Word[];
  /** Of options: these words stay possible, whatever came since. */
  readonly isOptions: boolean;
}

interface Word {
  readonly text: string;
  readonly summary: string;
  /** A value comes after it. */
  readonly takesValue: boolean;
}

const SHELLS: Readonly<Record<string, (choices: readonly Choice[]) => string>> = { bash, zsh, fish };
const NAMES = Object.keys(SHELLS);

/** @param commands the table, this command among them */
export const completionOf = (commands: () => Commands): Command => ({
  usage: `completion ${NAMES.join('|')}   bash, zsh: source <(agw completion bash); fish: agw completion fish | source`,
  summary: 'prints a script that completes commands and options in a shell',
  run: ([shell, ...rest], { out }) => {
    const isShell = shell !== undefined && rest.length === 0 && Object.hasOwn(SHELLS, shell);
    const write = isShell ? SHELLS[shell] : undefined;
    if (write === undefined) return Promise.reject(unknownShell(shell));
    out(write(choicesOf(commands())));
    return Promise.resolve();
  },
});

function unknownShell(shell = ''): CliError {
  const meant = nearestWord(shell, NAMES);
  const next = meant === undefined ? undefined : `did you mean "${meant}"?`;
  return new CliError('SHELL', `must be one of ${NAMES.join(', ')}`, JSON.stringify(shell), next);
}

function choicesOf(commands: Commands): Choice[] {
  const named = Object.entries(commands);
  const first = new Map(named.map(([name, { summary }]) => [name.split(' ')[0]!, { name, summary }]));
  const groups = [...first].filter(([word, { name }]) => word !== name).map(([word]) => word);
  const beginning = [...first].map(([text, { name, summary }]) => ({
    text,
    // A group has no summary: its commands do.
    summary: text === name ? summary : `${namesIn(text, commands).join(', ')} …`,
    takesValue: false,
  }));
  return [
    { after: '', words: beginning, isOptions: false },
    ...groups.map((group) => ({
      after: group,
      words: namesIn(group, commands).map((text) => ({
        text,
        summary: commands[`${group} ${text}`]!.summary,
        takesValue: false,
      })),
      isOptions: false,
    })),
    ...named.map(([name, { usage }]) => ({
      after: name,
      words: name === 'completion' ? NAMES.map(plain) : optionsOf(usage),
      isOptions: name !== 'completion',
    })),
  ];
}

const plain = (text: string): Word => ({ text, summary: '', takesValue: false });

const namesIn = (group: string, commands: Commands): string[] =>
  Object.keys(commands)
    .filter((name) => name.startsWith(`${group} `))
    .map((name) => name.slice(group.length + 1));

/** What a usage names; a value is what follows before the bracket ends. */
function optionsOf(usage: string): Word[] {
  const found = new Map<string, boolean>();
  for (const [, text, value] of usage.matchAll(/(--[a-z][a-z-]*)( [^\s[\]|)]+)?/g))
    found.set(text!, found.get(text!) ?? (value !== undefined && !value.startsWith(' --')));
  return [...found].map(([text, takesValue]) => ({ text, summary: '', takesValue }));
}

const textsOf = ({ words }: Choice): string => words.map(({ text }) => text).join(' ');
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function bash(choices: readonly Choice[]): string {
  const cases = choices.map((choice) => {
    const pattern = choice.isOptions ? `"${choice.after}"|"${choice.after} "*` : `"${choice.after}"`;
    return `    ${pattern}) words="${textsOf(choice)}" ;;`;
  });
  return `_agw() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=""
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1}" in
${cases.join('\n')}
  esac
  COMPREPLY=()
  # Where no option begins: a file.
  if [[ $words != --* || $current == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi
}
complete -o default -F _agw agw`;
}

function zsh(choices: readonly Choice[]): string {
  const cases = choices.map((choice) => {
    const words = choice.words.map(({ text, summary }) =>
      quoted(summary === '' ? text : `${text}:${summary.replaceAll(':', '\\:')}`),
    );
    const pattern = choice.isOptions ? `"${choice.after}"|"${choice.after} "*` : `"${choice.after}"`;
    return `    ${pattern}) choices=(${words.join(' ')}) ;;`;
  });
  return `#compdef agw
_agw() {
  local -a choices
  case "\${(j: :)words[2,CURRENT-1]}" in
${cases.join('\n')}
  esac
  # Where no option begins: a file.
  if [[ $choices[1] != --* || $words[CURRENT] == -* ]]; then _describe agw choices; else _files; fi
}
if [[ $funcstack[1] == _agw ]]; then _agw "$@"; else compdef _agw agw; fi`;
}

function fish(choices: readonly Choice[]): string {
  const lines = choices.flatMap(({ after, words, isOptions }) => {
    const said = `"$(string join ' ' -- (commandline -opc)[2..])"`;
    const pattern = isOptions ? `^${after}( |$)` : `^${after}$`;
    const condition = quoted(`string match -qr -- ${quoted(pattern)} ${said}`);
    return words.map(({ text, summary, takesValue }) => {
      const word = isOptions ? `-l ${text.slice(2)}${takesValue ? ' -r' : ''}` : `-f -a ${quoted(text)}`;
      return `complete -c agw -n ${condition} ${word}${summary === '' ? '' : ` -d ${quoted(summary)}`}`;
    });
  });
  return lines.join('\n');
}
