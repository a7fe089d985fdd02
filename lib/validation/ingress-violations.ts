/** What an Ingress cannot do, and what it must not. */
import { exposed, originViolations, routeViolations } from '../spec/exposure';
import { authOf, GatewaySpec } from '../spec/gateway-spec';
import { IngressSpec, ownAnnotations, schemeOf } from '../spec/ingress';
import { LABEL_KEY } from '../support/labels';
import { Violation } from '../support/text';

export function ingressViolations(spec: GatewaySpec, ingress: IngressSpec): Violation[] {
  return [
    ...encryptionViolations(ingress),
    ...originViolations(spec, schemeOf(ingress)),
    ...routeViolations(spec, ingress.routes),
    ...annotationViolations(ingress),
    ...podViolations(spec),
    ...certificateViolations(spec, ingress),
  ];
}

/** Whoever is on the way would read tokens, and answers. */
function encryptionViolations({
  tlsSecretName,
  defaultCertificate,
  insecurePlainHttp,
}: IngressSpec): Violation[] {
  const said = [tlsSecretName !== undefined, defaultCertificate, insecurePlainHttp].filter(Boolean);
  if (said.length === 1) return [];
  if (said.length === 0) {
    return [
      {
        where: 'tlsSecretName',
        want: 'must be given: without TLS whoever is on the way reads the tokens and the answers',
        next:
          "name the Secret of type kubernetes.io/tls, or say defaultCertificate: true for the controller's " +
          'own; where something else encrypts all the way, say insecurePlainHttp: true',
      },
    ];
  }
  return [
    {
      where: 'tlsSecretName',
      want:
        'must not go with another of defaultCertificate and insecurePlainHttp: one of the three says how ' +
        'clients are met',
      got: { tlsSecretName, defaultCertificate, insecurePlainHttp },
      next: 'say one of them',
    },
  ];
}

/** Each path of the host becomes an expression, or another one; a snippet can be anything. */
const WIDENS = /^nginx\.ingress\.kubernetes\.io\/(use-regex|rewrite-target|.*-snippet)$/;

function annotationViolations(ingress: IngressSpec): Violation[] {
  const own = ownAnnotations(ingress, 0);
  return Object.keys(ingress.annotations).flatMap((key): Violation[] => {
    const where = `annotations.${key}`;
    if (!LABEL_KEY.test(key)) return [{ where, want: 'must have the key of an annotation', got: key }];
    if (WIDENS.test(key)) {
      return [
        {
          where,
          want: 'must be left out: it makes other paths reach the gateway, or is text of the nginx config',
          got: ingress.annotations[key],
          next: 'patch the Ingress for it',
        },
      ];
    }
    if (!(key in own)) return [];
    return [
      {
        where,
        want: `must be left out: event streams and TLS need what the library says there for ${ingress.controller}`,
        got: ingress.annotations[key],
        next: 'leave it out, or choose IngressController.OTHER and say all of them',
      },
    ];
  });
}

function podViolations({ tlsSecretName, publicPathPrefix }: GatewaySpec): Violation[] {
  return [
    ...(tlsSecretName === undefined
      ? []
      : [
          {
            where: 'gateway.tlsSecretName',
            want: 'must be left out: an Ingress speaks HTTP to the pods',
            got: tlsSecretName,
            next: 'end TLS at the Ingress alone, or use a GatewayExposure with gatewayCa',
          },
        ]),
    ...(publicPathPrefix === undefined
      ? []
      : [
          {
            where: 'gateway.publicPathPrefix',
            want: 'must be left out: an Ingress has no way of its own to cut a path off',
            got: publicPathPrefix,
            next: 'use a GatewayExposure, or give the routes the paths that clients see',
          },
        ]),
  ];
}

/** It ends the client's TLS connection, and passes on a certificate field that the client wrote itself. */
function certificateViolations(spec: GatewaySpec, { routes }: IngressSpec): Violation[] {
  return exposed(spec, routes)
    .filter((route) => authOf(spec, route)._profile === 'mtls')
    .map(({ name }) => ({
      where: 'routes',
      want:
        'must have no route with AuthProfile.mtls: an Ingress ends the TLS connection of the client, and ' +
        'passes on a certificate that the client only claims',
      got: name,
      next: 'choose AuthProfile.dpop, or a front that writes the certificate itself: docs/guides/fronts.md',
    }));
}
