import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { directoryOf, FileFollower, follow } from '../../test/doubles/file-follower.ts';
import { PARTITIONS_MAX } from '../contracts/units.ts';

/** One position is kept for the source as a whole. */
const FILES_MAX = PARTITIONS_MAX - 1;

test('as many files as there may be are followed; one more needs the place of one that is gone', async (t) => {
  const directory = directoryOf(t);
  const pathOf = (k: number): string => `${directory}/app.log.${k}`;
  for (let k = 0; k < FILES_MAX; k++) writeFileSync(pathOf(k), `{"k":${k}}\n`);
  // Its run ends with an error, so that nothing is left to stop.
  const it = await FileFollower.start({ paths: [`${directory}/app.log*`] });
  assert.equal(it.lines.length, FILES_MAX);
  assert.equal(it.positions.size, PARTITIONS_MAX);

  writeFileSync(pathOf(FILES_MAX), '{"k":"one more"}\n');
  await assert.rejects(it.pass(), (error: Error) => {
    assert.match(error.message, new RegExp(`cannot follow more than ${FILES_MAX} files; the next one is ${pathOf(FILES_MAX)}`));
    return true;
  });
  assert.equal(it.lines.length, FILES_MAX, 'nothing else is read, and nothing twice');

  // The way out: a file less.
  rmSync(pathOf(17));
  const again = await follow(t, directory, {}, it);
  assert.deepEqual(again.texts(), ['{"k":"one more"}']);
  assert.equal(again.positions.size, PARTITIONS_MAX, 'the place of the file that is gone is forgotten');
  assert.deepEqual(
    again.notes.filter(({ type }) => type === 'source.gone').map(({ facts }) => facts['path']),
    [pathOf(17)],
  );
});
