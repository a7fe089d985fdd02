/**
 * Where pages link to for a test or another source: the package of npm has the pages, and the site shows them, both
 * without the sources.
 */
export const SOURCES = 'https://github.com/cdk8s-agentgateway/cdk8s-agentgateway/blob/main/';
