/** What Pod Security does not ask of pods: images that cannot change, and no secret in a variable. */
import { BY_DIGEST } from '../support/image-reference';
import { SECRET_NAME } from '../support/secret-names';
import { Field } from './field';
import { Broken, podRule, Rule } from './rule';

const IMAGE_DIGEST: Rule = podRule(
  {
    name: 'image-digest',
    recommendation: 'Name images by digest: a tag can be moved under an app that runs.',
    fix: 'Run "crane digest IMAGE" and append "@" and what it prints.',
  },
  ({ spec, containers }) => {
    const volumes = spec.at('volumes').items.map((volume) => volume.at('image'));
    const images = [
      ...containers.map((each) => each.at('image')),
      ...volumes.filter(({ isSet }) => isSet).map((image) => image.at('reference')),
    ];
    return images
      .filter(({ text }) => !new RegExp(BY_DIGEST).test(text ?? ''))
      .map((field) => ({ field, want: 'must be REPOSITORY@sha256:<64 hex>', got: field.value ?? undefined }));
  },
);

const NO_SECRET_ENV: Rule = podRule(
  {
    name: 'no-secret-env',
    recommendation:
      'Give a container its secrets as files: a variable is never renewed, and every child process and ' +
      'crash dump has it.',
    fix: 'Mount the Secret as a volume, and name the file in the variable.',
  },
  ({ containers }) =>
    containers.flatMap((container) => [
      ...container.at('envFrom').items.flatMap(fromSecret),
      ...container.at('env').items.flatMap(variable),
    ]),
);

function fromSecret(source: Field): Broken[] {
  const field = source.at('secretRef');
  return field.isSet ? [{ field, want: 'must be left out: each key of the Secret would be a variable' }] : [];
}

function variable(of: Field): Broken[] {
  const secretKeyRef = of.at('valueFrom', 'secretKeyRef');
  if (secretKeyRef.isSet) return [{ field: secretKeyRef, want: 'must be left out', got: nameOf(of) }];
  const value = of.at('value');
  const looks = looksLikeSecret(of.at('name').text ?? '', value.text ?? '');
  // The value itself is in no report.
  return looks === undefined ? [] : [{ field: value, want: `must be left out: ${looks}`, got: nameOf(of) }];
}

const nameOf = (of: Field) => of.at('name').value;

/** Not secret, whatever the variable is called: a switch, and a reference to another variable, which is checked too. */
const NO_SECRET = /^(true|false|\$\([A-Za-z_][A-Za-z0-9_.-]*\))?$/i;

/** Forms that nothing but a credential has. */
const CREDENTIALS: readonly (readonly [what: string, form: RegExp])[] = [
  ['it is a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['it is a URL with a password', /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s@:]*:[^/?#\s@]+@/i],
  ['it is a JWT', /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*$/],
  ['it is an access key of AWS', /^A[KS]IA[0-9A-Z]{16}$/],
  ['it is a token of GitHub', /^(gh[opsur]_[A-Za-z0-9]{36}|github_pat_\w{22,})/],
  ['it is a token of Slack', /^xox[abeoprs]-[\w-]{10,}$/],
];

function looksLikeSecret(name: string, value: string): string | undefined {
  if (NO_SECRET.test(value)) return undefined;
  const form = CREDENTIALS.find(([, pattern]) => pattern.test(value))?.[0];
  return form ?? (SECRET_NAME.test(name) ? 'its name says that it is a secret' : undefined);
}

export const POD_RULES: readonly Rule[] = [IMAGE_DIGEST, NO_SECRET_ENV];
