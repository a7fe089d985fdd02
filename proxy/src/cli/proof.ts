import { parseArgs } from 'node:util';
import { required, type Command } from './command.js';
import { htuOf, methodOf, mintProof } from './minting.js';
import { readSigningKey, SIGNER_OPTIONS } from './signer.js';

export const proofMint: Command = {
  usage:
    'proof mint (--key client.pem [--key-passphrase-file FILE] | --signer COMMAND --public KEY) --htm ' +
    'METHOD --htu URL [--token ACCESS_TOKEN] [--nonce NONCE]',
  summary: 'prints a DPoP proof for one request (RFC 9449)',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...SIGNER_OPTIONS,
        htm: { type: 'string' },
        htu: { type: 'string' },
        token: { type: 'string' },
        nonce: { type: 'string' },
      },
    });
    const { token, nonce } = values;
    const key = readSigningKey(values);
    const htm = methodOf(required(values, 'htm'), '--htm');
    const htu = htuOf(required(values, 'htu'), '--htu');
    out(await mintProof(key, { htm, htu, token, nonce }));
  },
};
