/** What reads an Ingress, and so which annotations it must have. */
export enum IngressController {
  /** ingress-nginx of the Kubernetes project, or what reads its annotations. The project ended it in March 2026. */
  NGINX = 'nginx',
  /** Traefik 2 or 3, with the entry point `websecure` for TLS, and `web` without, as its Helm chart calls them. */
  TRAEFIK = 'traefik',
  /** Another one, which is told by `annotations` not to buffer answers, nor to end a quiet one. */
  OTHER = 'other',
}
