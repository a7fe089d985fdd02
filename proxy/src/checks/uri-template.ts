/** Whether a template (RFC 6570) may become this URI: what it says outside of its expressions stands there in order. */
export function mayExpandTo(template: string, uri: string): boolean {
  const [first = '', ...others] = template.split(/\{[^{}]*\}/);
  const last = others.pop();
  if (last === undefined) return template === uri;
  if (!uri.startsWith(first)) return false;
  let at = first.length;
  for (const literal of others) {
    const found = uri.indexOf(literal, at);
    if (found === -1) return false;
    at = found + literal.length;
  }
  return uri.length >= at + last.length && uri.endsWith(last);
}
