/** What a user gives the proxy container beside its own must not change what the container is. */
import { GatewaySpec } from '../spec/gateway-spec';
import { OWN_VOLUMES } from '../support/ports-and-paths';
import { SECRET_NAME } from '../support/secret-names';
import { isLabel, Violation } from '../support/text';

/** Read by the loader, by Node or by its libraries, before any of our code: flags, trust, code, names, traces. */
const READ_BY_NODE = new RegExp(
  '^(NODE_|LD_|OPENSSL_|SSL_|UV_|OTEL_|MALLOC_|GLIBC_)' +
    '|^(PATH|HOME|DEBUG|GCONV_PATH|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS)$',
);

export const extraViolations = ({ environment, extraVolumes }: GatewaySpec): Violation[] => [
  ...Object.keys(environment).flatMap(variableViolations),
  ...Object.keys(extraVolumes).flatMap(volumeViolations),
];

function variableViolations(name: string): Violation[] {
  const where = `environment.${name}`;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    return [{ where, want: 'must have a name of letters, digits and "_", with no digit first', got: name }];
  }
  if (READ_BY_NODE.test(name)) {
    return [
      {
        where,
        want: "must be left out: Node, its libraries or the loader read it, and what they do is the library's own",
        next: 'use the props of the gateway, as ca, tracing and egressProxy; patch the Deployment for more',
      },
    ];
  }
  if (!SECRET_NAME.test(name)) return [];
  return [
    {
      where,
      want: 'must be left out: a secret must not stand in a manifest, nor be a variable',
      next: 'mount it as a file: extraVolumes: { files: ExtraVolume.fromSecret("name") }',
    },
  ];
}

function volumeViolations(name: string): Violation[] {
  const where = `extraVolumes.${name}`;
  if (!isLabel(name)) {
    return [
      {
        where,
        want: 'must have a name that is a lower-case RFC 1123 label of at most 63 characters',
        got: name,
      },
    ];
  }
  if (!Object.values<string>(OWN_VOLUMES).includes(name)) return [];
  return [{ where, want: 'must have another name: the gateway has a volume of this one', got: name }];
}
