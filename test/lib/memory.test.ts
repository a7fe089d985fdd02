import { Size } from 'cdk8s';
import { ReplayStore } from '../../lib';
import { SCHEMA_DEFAULTS } from '../../lib/spec/gateway-spec';
import { parseConfig } from '../../lib/support/parser';
import { container, dataOf, GatewayOptions, manifests } from '../support/synth';

type Props = NonNullable<GatewayOptions['gateway']>;
const written = (gateway: Props = {}) => JSON.parse(dataOf(manifests({ gateway }), 'config.json'));
const connections = (gateway?: Props): number => written(gateway).limits.maxConnections;
const memory = (gateway: Props): string => container(manifests({ gateway })).resources.limits.memory;
const heap = (gateway: Props): string =>
  container(manifests({ gateway })).command.find((flag: string) => flag.startsWith('--max-old-space-size='));

describe('memory of a gateway', () => {
  it('bounds its connections', () => {
    expect(connections()).toBe(2925);
    expect(connections({ tlsSecretName: 'tls' })).toBe(1755);
    expect(connections({ memory: Size.mebibytes(128) })).toBe(194);
    expect(connections({ memory: Size.gibibytes(1) })).toBe(10_000);
  });
  it('grows with the connections that are asked for', () => {
    expect(memory({ limits: { maxConnections: 10_000 } })).toBe('588Mi');
    expect(memory({ limits: { maxConnections: 100 } })).toBe('256Mi');
  });
  it('that holds fewer connections than are asked for is refused', () => {
    expect(() => connections({ memory: Size.mebibytes(256), limits: { maxConnections: 2926 } })).toThrow(
      /memory: must be at least 257 MiB for this many workers, connections and maxEntries, got "256 MiB"; .*limits\.maxConnections/,
    );
    expect(connections({ memory: Size.mebibytes(256), limits: { maxConnections: 2925 } })).toBe(2925);
  });
  it('is half for the heap of Node, a share for each thread', () => {
    expect(heap({})).toBe('--max-old-space-size=128');
    expect(heap({ memory: Size.gibibytes(1) })).toBe('--max-old-space-size=512');
    expect(heap({ workers: 2 })).toBe('--max-old-space-size=80');
  });
  it("reckons with the schema's own defaults", () => {
    const { limits, replay } = (
      parseConfig({ ...written({ replayStore: ReplayStore.memory() }), limits: {} }) as { config: any }
    ).config;
    expect({
      maxConnections: limits.maxConnections,
      maxHeaderBytes: limits.maxHeaderBytes,
      maxEntries: replay.maxEntries,
    }).toEqual(SCHEMA_DEFAULTS);
  });
});
