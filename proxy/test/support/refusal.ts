interface RefusalBody {
  readonly error: string | { readonly code: number; readonly data: { readonly reason: string } };
}

/** What a refusal's body names: the error of OAuth's form, or the reason of a JSON-RPC error. */
export function refusalIn(text: string): string {
  const { error } = JSON.parse(text) as RefusalBody;
  return typeof error === 'string' ? error : error.data.reason;
}
