import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  frameBytes,
  identityOf,
  KIND,
  payloadHolds,
  readFrameHeader,
  readSegmentHeader,
  runBytesMax,
  segmentFirst,
  segmentHeader,
  segmentName,
  windowOf,
  writeFrameHeader,
} from './layout.ts';

const IDENTITY = identityOf('0123456789abcdef0011223344556677');

describe('a frame header', () => {
  const header = {
    kind: KIND.run,
    flags: 3,
    frame: 2 ** 40 + 1,
    group: 2 ** 33 + 2,
    first: 2 ** 45 + 3,
    place: 4,
    count: 5,
    payloadBytes: 6,
    metaBytes: 2,
  };

  test('has the bytes of the format', () => {
    const window = windowOf(Buffer.alloc(80));
    window.bytes.write('abcdef', 8 + 64);
    writeFrameHeader(window, 8, IDENTITY.salt, header);
    const expected = [
      'ff574246 01 03 0000 0100000000010000 0200000002000000 0300000000200000',
      '04000000 05000000 06000000 02000000 f1efbc53 01234567 00000000',
    ];
    const hex = window.bytes.subarray(8, 8 + 60).toString('hex');
    assert.equal(hex, expected.join('').replaceAll(' ', ''));
    assert.deepEqual(readFrameHeader(window, 8, IDENTITY.salt), { ...header, payloadCrc: 0x53bceff1 });
  });

  test('is only read when every bit of it is right', () => {
    const window = windowOf(Buffer.alloc(72));
    window.bytes.write('abcdef', 64);
    writeFrameHeader(window, 0, IDENTITY.salt, header);
    assert.equal(readFrameHeader(window, 0, IDENTITY.salt + 1), null);
    assert.equal(readFrameHeader(windowOf(window.bytes.subarray(0, 63)), 0, IDENTITY.salt), null);
    for (let bit = 0; bit < 64 * 8; bit++) {
      const byte = bit >>> 3;
      window.bytes.writeUInt8(window.bytes.readUInt8(byte) ^ (1 << (bit & 7)), byte);
      assert.equal(readFrameHeader(window, 0, IDENTITY.salt), null, `bit ${bit}`);
      window.bytes.writeUInt8(window.bytes.readUInt8(byte) ^ (1 << (bit & 7)), byte);
    }
    const read = readFrameHeader(window, 0, IDENTITY.salt);
    assert.ok(read !== null && payloadHolds(window, 0, read));
    window.bytes.write('abcdeg', 64);
    assert.equal(payloadHolds(window, 0, read), false);
  });
});

describe('a segment header', () => {
  test('has the bytes of the format and holds its ordinal', () => {
    const header = segmentHeader(IDENTITY, 2 ** 33 + 7);
    assert.equal(
      header.subarray(0, 40).toString('hex'),
      '57415942494c4cff01000000012345670123456789abcdef00112233445566770700000002000000',
    );
    assert.equal(readSegmentHeader(header, IDENTITY), 2 ** 33 + 7);
    assert.equal(readSegmentHeader(header.subarray(0, 63), IDENTITY), null);
    for (let bit = 0; bit < 64 * 8; bit++) {
      const changed = Buffer.from(header);
      changed.writeUInt8(changed.readUInt8(bit >>> 3) ^ (1 << (bit & 7)), bit >>> 3);
      assert.equal(readSegmentHeader(changed, IDENTITY), null, `bit ${bit}`);
    }
  });

  test('is found by the name of its file', () => {
    assert.equal(segmentName(262_144), '00000000000000262144.seg');
    assert.equal(segmentFirst('00000000000000262144.seg'), 262_144);
    assert.deepEqual(['prepared', '1.seg', '00000000000000262144.seg.bak'].map(segmentFirst), [null, null, null]);
  });
});

test('frames are as long as a multiple of 8', () => {
  assert.deepEqual([0, 1, 8, 9].map(frameBytes), [64, 72, 72, 80]);
  assert.ok(runBytesMax(0, 0) > frameBytes(6 * 2_112));
});

test('a window lies over bytes that begin anywhere', () => {
  const bytes = Buffer.from([0, 1, 0, 0, 0, 2, 0, 0, 0]);
  const window = windowOf(bytes.subarray(1));
  assert.deepEqual([...window.words], [1, 2]);
});
