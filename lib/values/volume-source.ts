/** How a pod gets the files of an extra volume: the source of a Kubernetes volume, but for its name. */
export type VolumeSource =
  | { readonly configMap: string }
  | { readonly secret: string }
  | { readonly csi: { readonly driver: string; readonly attributes: Readonly<Record<string, string>> } };
