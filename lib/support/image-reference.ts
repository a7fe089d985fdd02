/** An image that is named by digest, as a regular expression of JavaScript and of CEL alike. */
export const BY_DIGEST = '^[^@ ]+@sha256:[0-9a-f]{64}$';
