import { exposed, metadataPaths, publicHosts } from '../spec/exposure';
import { GatewaySpec } from '../spec/gateway-spec';
import { IngressSpec, schemeOf } from '../spec/ingress';
import { k8s } from './k8s';

/** The paths of the routes and of their metadata, and nothing else of the gateway. */
export function ingressSpec(spec: GatewaySpec, ingress: IngressSpec): k8s.IngressSpec {
  const routes = exposed(spec, ingress.routes);
  const hosts = publicHosts(spec, schemeOf(ingress));
  const backend = { service: { name: spec.name, port: { name: 'http' } } };
  const paths: k8s.HttpIngressPath[] = [
    ...routes.map(({ pathPrefix }) => ({ path: pathPrefix, pathType: 'Prefix', backend })),
    ...metadataPaths(spec, routes).map((path) => ({ path, pathType: 'Exact', backend })),
  ];
  const { tlsSecretName } = ingress;
  return {
    ingressClassName: ingress.className,
    ...(ingress.insecurePlainHttp
      ? {}
      : { tls: [{ hosts, ...(tlsSecretName === undefined ? {} : { secretName: tlsSecretName }) }] }),
    rules: hosts.map((host) => ({ host, http: { paths } })),
  };
}
