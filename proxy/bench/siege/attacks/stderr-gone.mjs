export default {
  name: 'stderr-gone',
  what:
    'the reader of stderr goes, then the config is changed for one that is refused: the process has something ' +
    'to say',
  stderrGoes: true,
  async start(tools) {
    tools.count('connections');
    return () => {};
  },
};
