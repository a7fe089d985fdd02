/** Headers that a backend gets beside those of its client. */
import { SECRET_NAME } from '../support/secret-names';
import { refuse } from '../support/text';

const TOKEN = /^[a-z0-9!#%&'*+.^_`|~-]{1,64}$/;
const VALUE = /^[\x21-\x7e]([\x20-\x7e]{0,1022}[\x21-\x7e])?$/;

/** Of HTTP, of a proof, of a trace, of MCP, and of what the proxy writes or asks of an answer. */
const TAKEN = new RegExp(
  '^(accept|authorization|connection|content-.*|cookie|dpop|expect|forwarded|host|keep-alive|last-event-id|mcp-.*' +
    '|origin|proxy-.*|te|trace(parent|state)|trailer|transfer-encoding|upgrade' +
    '|x-backend-answered|x-forwarded-.*|x-real-ip|x-request-id)$',
);

/** Ends a constructor where a header may not be set, or not to this value. */
export function checkBackendHeader(name: string, value: string, credentialHeader?: string): void {
  const where = `backendHeaders.${name}`;
  if (!TOKEN.test(name)) {
    refuse({
      where,
      want: 'must have the name of a header, in lower case, of at most 64 characters',
      got: name,
    });
  }
  if (TAKEN.test(name) || name === credentialHeader) {
    refuse({
      where,
      want: 'must be left out: HTTP, MCP, the proxy or the credential has a use of its own for this header',
      next: 'credential, backendHost and methods are props of the route',
    });
  }
  if (SECRET_NAME.test(name.replaceAll('-', '_'))) {
    refuse({
      where,
      want: 'must be left out: its name says that it is a secret, and the config would hold it',
      next: `give credential with credentialHeader: "${name}"`,
    });
  }
  if (!VALUE.test(value)) {
    refuse({
      where,
      want: 'must be 1 to 1024 characters of printable ASCII, with no space around',
      got: value,
    });
  }
}
