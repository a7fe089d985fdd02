/** The scripts of `agw completion`, in the shells that they are for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, programOf } from '../../../test/e2e/support/daemon.js';

const agw = join(import.meta.dirname, '..', '..', '..', 'assets', 'agw.mjs');
const dir = mkdtempSync(join(tmpdir(), 'agw-completion-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Shell -> a program that prints what may come at the end of these words, each on a line. */
const ASK = {
  bash: `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _agw; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // Of zsh's completion system the two functions are stood in for that show words and files.
  zsh: `compdef() { :; }; _files() { :; }
    _describe() { local choice; for choice in "\${(@P)2}"; do print -r -- "\${choice%%:*}"; done; }
    source "$1"; shift; words=("$@"); CURRENT=$#; _agw`,
  fish: `source $argv[1]; complete -C "$argv[2..]" | string replace -r '\\t.*' ''; true`,
} as const;
type Shell = keyof typeof ASK;

const scriptOf = (shell: Shell): string => {
  const script = join(dir, shell);
  writeFileSync(script, execFileSync(process.execPath, [agw, 'completion', shell]));
  return script;
};
/** @param line what was typed so far; with a blank at its end a new word begins */
const completed = (shell: Shell, line: string): readonly string[] => {
  const words = line.split(' ');
  const args = shell === 'zsh' || shell === 'bash' ? [shell] : [];
  const options = { bash: ['--noprofile', '--norc'], zsh: ['-f'], fish: ['--no-config'] }[shell];
  const asked = [...options, '-c', ASK[shell], ...args, scriptOf(shell), ...words];
  const out = execFileSync(shell, asked, { encoding: 'utf8', cwd: dir, env: { ...process.env, HOME: dir } });
  const typed = words.at(-1)!;
  // zsh's own part is to leave out what does not begin so.
  return out.split('\n').filter((word) => word !== '' && word.startsWith(typed));
};

describe.each(['bash', 'zsh', 'fish'] as const)('agw completion %s', (shell) => {
  const missing = programOf(shell) === undefined ? [shell] : [];
  needs('completion', missing);
  const test = missing.length === 0 ? it : it.skip;

  test('completes commands, those of a group, and options', () => {
    expect(completed(shell, 'agw ')).toEqual(
      expect.arrayContaining(['serve', 'doctor', 'keys', 'completion']),
    );
    expect(completed(shell, 'agw do')).toEqual(['doctor']);
    expect([...completed(shell, 'agw jwks ')].sort()).toEqual(['add', 'create', 'retire']);
    expect(completed(shell, 'agw jwks r')).toEqual(['retire']);
    expect([...completed(shell, 'agw completion ')].sort()).toEqual(['bash', 'fish', 'zsh']);
    expect([...completed(shell, 'agw check --')].sort()).toEqual(['--config', '--elsewhere', '--json']);
    expect([...completed(shell, 'agw jwks retire --jwks set.json --k')]).toEqual(['--kid']);
  });
  test('leaves files to the shell where no option begins', () => {
    writeFileSync(join(dir, 'config.json'), '');
    const found = completed(shell, 'agw check --config con');
    expect(found).toEqual(shell === 'fish' ? ['config.json'] : []);
  });
});

it.each([
  [['completion'], 'agw: SHELL: must be one of bash, zsh, fish, got ""'],
  [['completion', 'fissh'], 'agw: SHELL: must be one of bash, zsh, fish, got "fissh"; did you mean "fish"?'],
  [['completion', 'toString'], 'agw: SHELL: must be one of bash, zsh, fish, got "toString"'],
])('refuses %j', (args, message) => {
  const { status, stderr } = spawnSync(process.execPath, [agw, ...args], { encoding: 'utf8' });
  expect([status, stderr.split('\n')[0]]).toEqual([2, message]);
});
