import { parseArgs } from 'node:util';
import { required, type Command } from './command.js';
import { PASSPHRASE_OPTION, readPrivateKey } from './key-files.js';
import { htuOf, methodOf, mintProof } from './minting.js';

export const proofMint: Command = {
  usage:
    'proof mint --key client.pem --htm METHOD --htu URL [--token ACCESS_TOKEN] [--nonce NONCE] [--key-passphrase-file FILE]',
  summary: 'prints a DPoP proof for one request (RFC 9449)',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        key: { type: 'string' },
        ...PASSPHRASE_OPTION,
        htm: { type: 'string' },
        htu: { type: 'string' },
        token: { type: 'string' },
        nonce: { type: 'string' },
      },
    });
    const { token, nonce } = values;
    const key = readPrivateKey(values, 'key');
    const htm = methodOf(required(values, 'htm'), '--htm');
    const htu = htuOf(required(values, 'htu'), '--htu');
    out(await mintProof(key, { htm, htu, token, nonce }));
  },
};
