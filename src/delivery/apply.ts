import { assert, BrokenInvariant } from '../contracts/assert.ts';
import type { Receipt } from '../contracts/sink.ts';
import type { Index } from '../contracts/units.ts';
import { type Account, type Epoch, next, type SideStream, type Stream } from './account.ts';
import { applyTarget, attach, detach } from './apply-detached.ts';
import { addAside, declare, declared, setAsideBelow, withoutRange } from './quarantine.ts';
import type { IntentRecord, JournalRecord, Lane } from './records.ts';

/**
 * Folds one record in. This is the whole meaning of the journal: delivery changes an account in no other way, before a crash and after it.
 * A record that does not fit is a broken invariant.
 */
export function applyRecord(before: Account, record: JournalRecord): Account {
  const after = applyFact({ ...before, records: before.records + 1 }, record);
  return isPast(after) ? { ...after, detached: null } : after;
}

/** Whether a batch has accounted for all that was no longer in the ledger. */
function isPast({ detached, live }: Account): boolean {
  return detached !== null && !detached.held && live.cursor > detached.through;
}

function applyFact(account: Account, record: JournalRecord): Account {
  switch (record.type) {
    case 'began':
    case 'renamed':
      throw new BrokenInvariant('a destination begins once');
    case 'width':
      return { ...account, inFlight: record.inFlight };
    case 'epoch':
      return addEpoch(account, record);
    case 'intent':
      return withStream(account, record.lane, (stream) => addIntent(stream, record));
    case 'taken':
      return applyTaken(account, record);
    case 'rejected':
      return withStream(account, record.lane, (stream) => ({
        ...stream,
        open: stream.open.filter((intent) => intent.from !== record.from),
        fences: [...new Set([...stream.fences, ...record.fences])].sort((a, b) => a - b),
      }));
    case 'withdrawn': {
      const rest = withStream(account, record.lane, (stream) => {
        assert(
          stream.open.some((intent) => intent.from === record.from && !intent.done),
          `no open intent begins at ${record.from}`,
        );
        return { ...stream, open: stream.open.filter((intent) => intent.from !== record.from) };
      });
      return record.doubt ? { ...rest, repeats: rest.repeats + 1 } : rest;
    }
    case 'aside':
      return addAside(account, record);
    case 'restored':
      return { ...account, aside: [] };
    case 'adopted':
      return applyAdopted(account, record);
    case 'omitted':
      return withStream(account, record.lane, (stream) => {
        assert(stream.cursor === record.from, `omitted from ${record.from}, but the cursor is ${stream.cursor}`);
        return advance({ ...stream, cursor: next(record.through) });
      });
    default:
      return applyVerb(account, record);
  }
}

type VerbRecord = Extract<
  JournalRecord,
  { type: 'paused' | 'resumed' | 'retried' | 'side' | 'ended' | 'declared' | 'waived' | 'detached' | 'attached' | 'target' }
>;

function applyVerb(account: Account, record: VerbRecord): Account {
  switch (record.type) {
    case 'paused':
      return { ...account, paused: true };
    case 'resumed':
      return { ...account, paused: false };
    case 'retried':
      // Without this an hour's limit that was reached would stop the destination again at once.
      return { ...account, asideTimes: [] };
    case 'side':
      return beginSide(account, record);
    case 'ended':
      return endSide(account, record);
    case 'declared':
      return declared(account, record.record);
    case 'waived': {
      const waived = { ...account, quarantine: withoutRange(account.quarantine, record.from, record.through) };
      return declare(waived, 'quarantine.waived', { from: record.from, through: record.through });
    }
    case 'detached':
      return detach(account, record.through);
    case 'attached':
      return attach(account, record.through);
    case 'target':
      return applyTarget(account, record);
    default:
      throw new BrokenInvariant(`unknown record ${String((record as { type: unknown }).type)}`);
  }
}

function addEpoch(account: Account, record: Epoch): Account {
  const last = account.epochs.at(-1);
  assert(record.epoch === (last === undefined ? 0 : last.epoch + 1), `epoch ${record.epoch} does not follow`);
  const { epoch, format, control, name } = record;
  return { ...account, epochs: [...account.epochs, { epoch, format, control, name }] };
}

function addIntent(stream: Stream, record: IntentRecord): Stream {
  const after = stream.open.findIndex((intent) => intent.from > record.from);
  const at = after === -1 ? stream.open.length : after;
  const previous = stream.open[at - 1];
  const following = stream.open[at];
  const from = previous === undefined ? stream.cursor : next(previous.through);
  assert(record.from === from, `an intent begins at ${record.from} where ${from} is next`);
  assert(record.through >= record.from, `an intent ends at ${record.through} before it begins at ${record.from}`);
  assert(following === undefined || record.through < following.from, `the intent at ${record.from} overlaps the one after it`);
  const { through, count, epoch, sha256, omit, gone, checkpoint } = record;
  const intent = { from, through, count, epoch, sha256, omit, gone, ...(checkpoint === undefined ? {} : { checkpoint }), done: false };
  return { ...stream, open: stream.open.toSpliced(at, 0, intent) };
}

function applyTaken(account: Account, record: Extract<JournalRecord, { type: 'taken' }>): Account {
  let after = withStream(account, record.lane, (stream) => {
    const intent = stream.open.find((open) => open.from === record.from);
    if (intent === undefined) {
      // Without intents batches are taken strictly in order.
      assert(stream.open.length === 0 && record.from === stream.cursor, `taken from ${record.from}, but the cursor is ${stream.cursor}`);
      return advance({ ...stream, cursor: next(record.through) });
    }
    assert(intent.through === record.through && !intent.done, `what was taken from ${record.from} is not the open intent`);
    return advance({ ...stream, open: stream.open.map((open) => (open === intent ? { ...open, done: true } : open)) });
  });
  const { batches, entries, bytes } = after.taken;
  after = {
    ...after,
    acknowledged: true,
    taken: { batches: batches + 1, entries: entries + record.count, bytes: bytes + record.bytes },
    repeats: after.repeats + record.again,
  };
  if (record.lane === 'side') return sideTaken(after, record.from, record.through, record.count, record.receipt);
  after = { ...after, receipt: record.receipt, stands: null };
  // Only a later entry that was taken proves that the fault lies in the refused one and not in the destination.
  return record.count > 0 ? setAsideBelow(after, record.through) : after;
}

function sideTaken(account: Account, from: Index, through: Index, count: number, receipt: Receipt): Account {
  const side = account.side;
  assert(side !== null, 'no stream of old entries is open');
  const after = { ...account, side: { ...side, entries: side.entries + count } };
  if (side.kind === 'recover') return { ...after, receipt };
  return side.kind === 'redeliver' ? { ...after, quarantine: withoutRange(after.quarantine, from, through) } : after;
}

function applyAdopted(account: Account, record: Extract<JournalRecord, { type: 'adopted' }>): Account {
  const after = withStream(account, record.lane, (stream) => {
    assert(stream.cursor === record.from, `adopted from ${record.from}, but the cursor is ${stream.cursor}`);
    assert(stream.open.length === 0, 'a destination that knows its place has no intents');
    return advance({ ...stream, cursor: next(record.through) });
  });
  const known = { ...after, acknowledged: true };
  return record.lane === 'live' ? setAsideBelow({ ...known, stands: null }, record.through) : known;
}

function beginSide(account: Account, record: Extract<JournalRecord, { type: 'side' }>): Account {
  assert(account.side === null, 'one stream of old entries at a time');
  const { kind, name, from, through, gone } = record;
  assert(from <= through && through < account.live.cursor, `[${from}, ${through}] is not below the cursor`);
  const side: SideStream = { kind, name, from, through, gone, cursor: from, open: [], fences: [], entries: 0, declared: false };
  const lacks = gone === null ? {} : { gone: Math.min(gone, through) - from + 1 };
  return declare({ ...account, side, sides: account.sides + 1 }, `${kind}.started`, { name, from, through, ...lacks });
}

function endSide(account: Account, record: Extract<JournalRecord, { type: 'ended' }>): Account {
  const side = account.side;
  assert(side !== null, 'no stream of old entries is open');
  assert(record.how !== 'done' || side.cursor > side.through, `${side.name} ends at ${side.cursor} before ${side.through}`);
  const { kind, name, from, through, entries } = side;
  const why = record.index === null || record.code === null ? {} : { refused: record.index, code: record.code };
  // The stream may end before its beginning could be declared: both stay in the outbox, in order.
  // From here on only this tells where a destination that keeps its place was left: its receipt is from there.
  const whole = record.how === 'done' && next(through) >= account.live.cursor;
  const stands = kind !== 'recover' || side.cursor === from ? account.stands : whole ? null : side.cursor;
  return declare({ ...account, side: null, stands }, `${kind}.ended`, { name, from, through, entries, how: record.how, ...why });
}

function withStream(account: Account, lane: Lane, change: (stream: Stream) => Stream): Account {
  if (lane === 'live') return { ...account, live: change(account.live) };
  assert(account.side !== null, 'no stream of old entries is open');
  return { ...account, side: { ...account.side, ...change(account.side) } };
}

/** Moves the cursor over everything at the head that is done. It never moves back. */
function advance(stream: Stream): Stream {
  let { cursor } = stream;
  let done = 0;
  for (const intent of stream.open) {
    if (!intent.done || intent.from !== cursor) break;
    cursor = next(intent.through);
    done += 1;
  }
  return { cursor, open: stream.open.slice(done), fences: stream.fences.filter((fence) => fence >= cursor) };
}
