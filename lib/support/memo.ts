/**
 * Computes a value once for each object it is computed from. Only for objects whose part in it never
 * changes: a GatewaySpec is one, because a gateway that changes makes a new spec.
 */
export function oncePer<Key extends object, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const values = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const known = values.get(key);
    if (known !== undefined) return known.value;
    const value = compute(key);
    values.set(key, { value });
    return value;
  };
}
