/** What a user gives the proxy container beside its own: variables, and files under /mnt. */
import { GatewaySpec } from '../spec/gateway-spec';
import { DIR, OWNER_ONLY } from '../support/ports-and-paths';
import { VolumeSource } from '../values/volume-source';
import { k8s } from './k8s';

export const extraEnvironment = ({ environment }: GatewaySpec): k8s.EnvVar[] =>
  Object.entries(environment).map(([name, value]) => ({ name, value }));

export const extraVolumes = (spec: GatewaySpec): k8s.Volume[] =>
  Object.entries(spec.extraVolumes).map(([name, { _source }]) => ({ name, ...volumeSource(_source) }));

export const extraMounts = (spec: GatewaySpec): k8s.VolumeMount[] =>
  Object.keys(spec.extraVolumes).map((name) => ({ name, mountPath: `${DIR.extra}/${name}`, readOnly: true }));

function volumeSource(source: VolumeSource): Omit<k8s.Volume, 'name'> {
  if ('configMap' in source) return { configMap: { name: source.configMap, defaultMode: OWNER_ONLY } };
  if ('secret' in source) return { secret: { secretName: source.secret, defaultMode: OWNER_ONLY } };
  const { driver, attributes } = source.csi;
  return { csi: { driver, readOnly: true, volumeAttributes: { ...attributes } } };
}
