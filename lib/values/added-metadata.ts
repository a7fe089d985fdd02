/**
 * Labels and annotations beside the library's own, none of which can be replaced: its labels say what the policies
 * and the Service select.
 */
export interface AddedMetadata {
  /**
   * Labels, by their keys.
   *
   * @default - none
   */
  readonly labels?: Record<string, string>;

  /**
   * Annotations, by their keys; all of an object together at most 128 KiB. Anyone who may read the object reads them:
   * no place for a secret.
   *
   * @default - none
   */
  readonly annotations?: Record<string, string>;
}
