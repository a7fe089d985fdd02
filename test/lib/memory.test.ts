import { Size } from 'cdk8s';
import { AgentgatewayVersion, DataPlane, Image, McpRoute, ReplayStore } from '../../lib';
import { SCHEMA_DEFAULTS } from '../../lib/spec/gateway-spec';
import { parseConfig } from '../../lib/support/parser';
import {
  backendPeer,
  container,
  dataOf,
  GatewayOptions,
  manifests,
  newChart,
  newGateway,
  problems,
  synth,
} from '../support/synth';

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
      new RegExp(
        [
          /memory: must be at least 257 MiB for this many workers, connections and maxEntries, got "256 /,
          /MiB"; .*limits\.maxConnections/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    );
    expect(connections({ memory: Size.mebibytes(256), limits: { maxConnections: 2925 } })).toBe(2925);
  });
  it('is half for the heap of Node, a share for each thread', () => {
    expect(heap({})).toBe('--max-old-space-size=128');
    expect(heap({ memory: Size.gibibytes(1) })).toBe('--max-old-space-size=512');
    expect(heap({ workers: 2 })).toBe('--max-old-space-size=80');
  });
  it("reckons with the schema's own defaults", () => {
    const { limits, replay, upstream } = (
      parseConfig({ ...written({ replayStore: ReplayStore.memory() }), limits: {} }) as { config: any }
    ).config;
    expect({
      maxConnections: limits.maxConnections,
      maxHeaderBytes: limits.maxHeaderBytes,
      maxEntries: replay.maxEntries,
      maxSockets: upstream.maxSockets,
      maxStreams: upstream.maxStreams,
    }).toEqual(SCHEMA_DEFAULTS);
  });
});

describe('memory of agentgateway', () => {
  const routesOf = (count: number, gateway: Props = {}) => {
    const chart = newChart();
    const built = newGateway(chart, gateway);
    for (let at = 0; at < count; at++) {
      const pathPrefix = `/mcp/${at}`;
      new McpRoute(chart, `Mcp${at}`, { gateway: built, pathPrefix, backend: 'mcp:5000', backendPeer });
    }
    return chart;
  };
  const memoryOf = (count: number, gateway?: Props): string => {
    const { requests, limits } = container(synth(routesOf(count, gateway)), 'agentgateway').resources;
    expect(requests.memory).toBe(limits.memory);
    return limits.memory;
  };
  const small = { upstream: { maxStreams: 512, maxSockets: 512 } };

  it('holds every stream and request that the pools of all routes may have open', () => {
    expect(memoryOf(1)).toBe('264Mi');
    expect([1, 2].map((count) => memoryOf(count, small))).toEqual(['164Mi', '264Mi']);
    expect(memoryOf(1, { upstream: { maxStreams: 5000 } })).toBe('350Mi');
  });
  it('holds no more than clients have connections, unless a connection may carry many requests', () => {
    expect([2, 9].map((count) => memoryOf(count))).toEqual(['350Mi', '350Mi']);
    expect(memoryOf(2, { limits: { maxConnections: 1000 } })).toBe('162Mi');
    expect([2, 9].map((count) => memoryOf(count, { tlsSecretName: 'tls' }))).toEqual(['464Mi', '1864Mi']);
  });
  it('holds the pools of each endpoint of a backend', () => {
    const of = (backendEndpoints: string[]) =>
      container(manifests({ gateway: small, mcp: { backendEndpoints } }), 'agentgateway').resources.limits
        .memory;
    expect([of(['http://mcp-0:5000']), of(['http://mcp-0:5000', 'http://mcp-1:5000'])]).toEqual([
      '164Mi',
      '264Mi',
    ]);
  });
  it('is what is asked for, in whole MiB, in both dialects', () => {
    const asked = { memory: Size.kibibytes(300 * 1024 + 1) };
    expect(memoryOf(1, { dataPlane: DataPlane.agentgateway(asked) })).toBe('301Mi');
    const image = Image.fromDigest(`ghcr.io/agentgateway/agentgateway:0.12.0@sha256:${'0'.repeat(64)}`);
    const old = DataPlane.agentgateway({ version: AgentgatewayVersion.V0_12, image, ...asked });
    expect(memoryOf(1, { dataPlane: old })).toBe('301Mi');
  });
  it('that holds less than the routes may open is refused', () => {
    const given = (mebibytes: number) => ({
      dataPlane: DataPlane.agentgateway({ memory: Size.mebibytes(mebibytes) }),
    });
    expect(problems(() => routesOf(1, given(264)))).toEqual([]);
    expect(problems(() => routesOf(1, given(263)))).toEqual([
      '[test/Gateway] dataPlane.memory: must be at least 264 MiB for the streams and requests that the ' +
        'routes may have open, got "263 MiB"; give more, lower upstream.maxStreams and upstream.maxSockets, ' +
        'or give routes to another gateway',
    ]);
    expect(problems(() => routesOf(2, { ...given(164), ...small }))).toEqual([
      expect.stringContaining('must be at least 264 MiB'),
    ]);
    expect(() => DataPlane.agentgateway({ memory: '1Gi' as unknown as Size })).toThrow(
      'dataPlane.memory: must be a Size, got "1Gi"; for example Size.mebibytes(256)',
    );
  });
});
