/** The files that a gateway's own Valkey runs with. */
import { GatewaySpec } from '../spec/gateway-spec';
import { bucketSeconds, maxmemoryBytes } from '../spec/valkey';
import { PORT, VALKEY_DIR } from '../support/ports-and-paths';
import { VALKEY_KEYS, VALKEY_USER } from '../values/valkey';

/** What each container of Valkey's pod sees of them. */
export const VALKEY_FILES = {
  server: ['valkey.conf'],
  users: ['users.acl', 'write-users.mjs'],
} as const;

export const valkeyFiles = (spec: GatewaySpec): Record<string, string> => ({
  'valkey.conf': configOf(spec),
  'users.acl': usersOf(spec),
  'write-users.mjs': WRITE_USERS,
});

/** `ca.crt` is for the probes, which verify Valkey as the gateway does. */
export const VALKEY_TLS_FILES = ['tls.crt', 'tls.key', 'ca.crt'];

/** @see https://valkey.io/topics/valkey.conf/ */
function configOf(spec: GatewaySpec): string {
  const { config, run } = VALKEY_DIR;
  return `# Every address of both families: who may connect is the NetworkPolicy's to say.
bind * -::*
protected-mode yes
port 0
tls-port ${PORT.redis}
tls-cert-file ${config}/tls/tls.crt
tls-key-file ${config}/tls/tls.key
tls-protocols "TLSv1.3"
# The password says who connects: the gateway has no certificate.
tls-auth-clients no
tcp-keepalive 60

aclfile ${run}/users.acl

# A claim that finds no room is refused; none is thrown out before it is over.
maxmemory ${maxmemoryBytes(spec)}
maxmemory-policy noeviction
# Claims that are over leave soon.
active-expire-effort 10

# Nothing is written: the gateway refuses the proofs from before a restart, whatever a disk remembered.
save ""
appendonly no
dir ${run}
databases 1
`;
}

/** What the proxy's replay store sends; the last ones are for limits that replicas share. */
const COMMANDS = ['set', 'get', 'del', 'info', 'eval'];
const BUCKET_COMMANDS = ['evalsha', 'time', 'hmget', 'hset', 'pexpire'];

/** Where the hash of the password goes. */
const HASH = '#PASSWORD';

/** @see https://valkey.io/topics/acl/ */
function usersOf(spec: GatewaySpec): string {
  const commands = bucketSeconds(spec) > 0 ? [...COMMANDS, ...BUCKET_COMMANDS] : COMMANDS;
  const rules = ['reset', 'on', HASH, `~${VALKEY_KEYS}*`, '-@all', ...commands.map((name) => `+${name}`)];
  return `user default reset off\nuser ${VALKEY_USER} ${rules.join(' ')}\n`;
}

/** A newline at its end is not part of the password, as in the gateway. The file is written again after a restart. */
const WRITE_USERS = `import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const read = (name) => readFileSync(\`${VALKEY_DIR.users}/\${name}\`, 'utf8');
const password = read('password').replace(/\\r?\\n$/, '');
if (password === '') throw new Error('the password of the replay store is empty: write one into its Secret');
const hash = createHash('sha256').update(password).digest('hex');
const users = read('users.acl').replace('${HASH}', \`#\${hash}\`);
writeFileSync('${VALKEY_DIR.run}/users.acl', users, { mode: 0o600 });
`;
