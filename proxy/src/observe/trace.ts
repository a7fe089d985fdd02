/**
 * The trace id of a W3C `traceparent` (Trace Context 3.2); `undefined` for one that is not in its form, or all
 * zeros.
 */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const id =
    traceparent === undefined
      ? undefined
      : /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(traceparent)?.[1];
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
