import { replayKey } from '../../src/replay/replay-key.js';

describe('replayKey', () => {
  it('has 32 bytes whatever the length of its parts', () => {
    expect(replayKey('dpop', 'owner', 'j'.repeat(256))).toHaveLength(32);
  });
  it('is the same for the same proof', () => {
    expect(replayKey('dpop', 'owner', 'jti')).toEqual(replayKey('dpop', 'owner', 'jti'));
  });
  it.each([
    ['profile', ['selfSigned', 'owner', 'jti']],
    ['owner: one client must not burn the jti of another', ['dpop', 'other', 'jti']],
    ['jti', ['dpop', 'owner', 'jtj']],
    ['border between owner and jti', ['dpop', 'ownerj', 'ti']],
    ['border that imitates a length', ['dpop', 'owner3:jti', '']],
    ['border between profile and owner', ['dpopo', 'wner', 'jti']],
  ] as const)('differs by %s', (_, [profile, owner, jti]) => {
    expect(replayKey(profile, owner, jti)).not.toEqual(replayKey('dpop', 'owner', 'jti'));
  });
});
