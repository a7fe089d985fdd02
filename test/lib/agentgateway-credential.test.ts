/** The credential that agentgateway sends to a backend, in each form that it knows. */
import { parse } from 'yaml';
import { AgentgatewayVersion, DataPlane, Image, SecretSource } from '../../lib';
import { dataOf, gatewayChart, GatewayOptions, manifests, problems } from '../support/synth';

const image = Image.fromDigest(`ghcr.io/agentgateway/agentgateway:0.12.0@sha256:${'0'.repeat(64)}`);
const old = DataPlane.agentgateway({ version: AgentgatewayVersion.V0_12, image });
const credential = SecretSource.existing('backend', 'key');

describe('agentgateway gives a backend its credential', () => {
  const of = (mcp: GatewayOptions['mcp'], dataPlane = DataPlane.agentgateway()): GatewayOptions => ({
    gateway: { dataPlane },
    mcp: { credential, ...mcp },
  });
  const keyOf = (options: GatewayOptions) => {
    const { routes, binds } = parse(dataOf(manifests(options), 'config.yaml'));
    return (routes ?? binds[0].listeners[0].routes)[0].backends[0].policies.backendAuth.key;
  };
  const file = { file: '/etc/agentgateway/routes/mcp/credential' };

  it('as "Authorization: Bearer", or in the field and form that the route says', () => {
    expect([keyOf(of({})), keyOf(of({}, old))]).toEqual([file, file]);
    const sent = (mcp: GatewayOptions['mcp']) => keyOf(of(mcp)).location.header;
    expect(keyOf(of({ credentialPrefix: 'Basic ' })).value).toEqual(file);
    expect(sent({ credentialPrefix: 'Basic ' })).toEqual({ name: 'authorization', prefix: 'Basic ' });
    expect(sent({ credentialHeader: 'x-api-key' })).toEqual({ name: 'x-api-key', prefix: 'Bearer ' });
    expect(sent({ credentialHeader: 'x-api-key', credentialPrefix: '' })).toEqual({
      name: 'x-api-key',
      prefix: '',
    });
  });
  it.each([{ credentialHeader: 'x-api-key' }, { credentialPrefix: '' }])(
    'not as %j where agentgateway is of 0.12, which knows one form',
    (mcp) => {
      expect(problems(() => gatewayChart(of(mcp, old)))).toEqual([
        expect.stringMatching(/route "mcp" credentialHeader: must be left out with agentgateway v0\.12/),
      ]);
    },
  );
  it('with no dollar sign, which agentgateway would take for a variable of its environment', () => {
    expect(problems(() => gatewayChart(of({ credentialPrefix: '${HOME} ' })))).toEqual([
      expect.stringMatching(/dataPlane: must have no "\$" in any value: .*, got "prefix: /),
    ]);
    const direct = DataPlane.direct();
    expect(problems(() => gatewayChart(of({ credentialPrefix: '${HOME} ' }, direct)))).toEqual([]);
  });
});
