/**
 * Whether a template (RFC 6570) may become a URI: what it says outside of its expressions stands there in order. A
 * template may be as long as a body, so it is taken apart once for all the URIs that it is compared with.
 */
export function templateMatcher(template: string): (uri: string) => boolean {
  const [first = '', ...others] = template.split(/\{[^{}]*\}/);
  const last = others.pop();
  if (last === undefined) return (uri) => uri === template;
  // Between two expressions that touch stands nothing.
  const between = others.filter((literal) => literal !== '');
  return (uri) => {
    if (!uri.startsWith(first)) return false;
    let at = first.length;
    for (const literal of between) {
      const found = uri.indexOf(literal, at);
      if (found === -1) return false;
      at = found + literal.length;
    }
    return uri.length >= at + last.length && uri.endsWith(last);
  };
}
