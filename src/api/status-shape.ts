import { z } from 'zod';
import { whole } from './about.ts';

const failure = z.object({
  code: z.string().describe('One of the codes in docs/errors.md.'),
  message: z.string().describe('What happened, with the thing and the value.'),
  action: z.string().describe('What to do about it.'),
});

const quarantined = z.object({
  from: whole('First index.'),
  through: whole('Last index.'),
  code: z.string().describe('Why the destination does not take it.'),
  message: z.string().describe('What the destination answered about the first of them.'),
  at: whole('When it was set aside, in milliseconds since 1970.'),
});

const stretch = z.object({ from: whole('First index.'), through: whole('Last index.') });

const head = z.object({
  from: whole('First index that it accounts for.'),
  through: whole('Last index that it accounts for.'),
  count: whole('How many entries it carries.'),
  in_flight: z.boolean().describe('Whether it is being written.'),
  in_doubt: z.boolean().describe('Whether it may be there already.'),
  attempts: whole('How often it was tried.'),
});

const side = z.object({
  kind: z.enum(['replay', 'recover', 'redeliver']).describe('What for.'),
  name: z.string().describe('Its name, which its batches carry.'),
  from: whole('First index.'),
  through: whole('Last index.'),
  cursor: whole('The index that it sends next.'),
});

const checkpoint = z.object({
  size: whole('How many entries the newest one covers that it took since the start.').nullable(),
  at: whole('When it took it, in milliseconds since 1970.').nullable(),
  fault: failure.nullable().describe('Why the last one that went by itself was not taken. Entries go on all the same.'),
});

/** What is answered about one destination. */
export const destinationShape = z.object({
  type: z.string().nullable().describe('The type of its sink; `null` for one that is not in the configuration any more.'),
  state: z.enum(['running', 'waiting', 'paused', 'halted', 'detached', 'draining', 'removed']).describe('What it does now.'),
  cursor: whole('The index that it needs next.'),
  lag: whole('How many durable entries it is not known to have.'),
  head: head.nullable().describe('The batch that everything waits for.'),
  error: failure.nullable().describe('What went wrong last, until a batch is taken.'),
  next_retry_at: z.number().nullable().describe('When the next attempt is made, in milliseconds since 1970.'),
  counters: z
    .object({
      entries: whole('Entries that it has taken.'),
      bytes: whole('Bytes that it has taken.'),
      batches: whole('Batches that it has taken.'),
      repeats: whole('Batches that it may have twice, because an answer was lost.'),
      attempts: whole('Attempts since the start of the process.'),
    })
    .describe('Since the ledger began, where nothing else is said.'),
  quarantine: z.array(quarantined).describe('What is set aside.'),
  needed_from: whole('The oldest index that it still needs from the ledger.').nullable(),
  lacks: stretch.nullable().describe('What it lost by its own answer, or never had.'),
  detached: stretch.nullable().describe('What it will never get from this ledger, until a batch has accounted for it.'),
  checkpoint: checkpoint.nullable().describe('How far its checkpoints have come; `null` for a destination that gets none.'),
  side: side.nullable().describe('The old entries that are being sent again.'),
});

const pulled = z.object({
  state: z.enum(['running', 'waiting', 'halted']).describe('What it does now: `waiting` goes on by itself, `halted` needs an operator.'),
  error: failure.nullable().describe('Why it does not run.'),
  positions: whole('How many partitions have a position.'),
  lag_bytes: whole('How many bytes wait to be read.').nullable(),
  problems: z
    .array(z.object({ place: z.string().describe('Where.'), message: z.string().describe('Why.') }))
    .describe('What cannot be read at this moment and is tried again: the first few.'),
});

/** What is answered about one source. */
export const sourceShape = z.object({
  type: z.string().describe('What kind of source it is.'),
  accepted: whole('Events that became entries since the start.'),
  duplicates: whole('Events since the start that were an entry already.'),
  rejected: whole('Faults of events that were refused since the start.'),
  conflicts: whole('Those of the faults that were a taken identity or number.'),
  entries: whole('Entries of the source in the ledger.'),
  pulled: pulled.optional().describe('How it is read, where it is pulled.'),
});

const ledger = z.object({
  origin: z.string().describe('The name of the log.'),
  size: whole('Entries that were numbered.'),
  durable: whole('Entries that are durable.'),
  beginning: whole('The oldest index that can still be read.'),
  head: z
    .object({ size: whole('Over how many entries.'), root: z.string().describe('The root hash.') })
    .describe('The newest head of the tree, signed or not.'),
  tree: z
    .object({
      bytes: whole('What they take on the disk, beside the ledger and its limit.'),
      fault: failure.nullable().describe('What the tree waits for; `null` while it follows the ledger.'),
    })
    .describe('The stored hashes of the tree.'),
  heads: z
    .object({
      published: z
        .object({
          size: whole('Over how many entries.'),
          root: z.string().describe('The root hash.'),
          at: z.string().describe('When it was last signed or made fresh, in RFC 3339.'),
        })
        .nullable()
        .describe('The newest one that was published.'),
      keys: z
        .array(
          z.object({
            verifier_key: z.string().describe('The public key as C2SP signed-note writes it.'),
            from: whole('The smallest size that it signed.'),
            through: whole('The largest one; `null` while it is in use.').nullable(),
          }),
        )
        .describe('The keys that ever signed heads of this log, the newest last.'),
      freshness_key: z.string().describe('The public key that says with the time that a head is still the newest.'),
      witnesses: z
        .array(
          z.object({
            name: z.string().describe('What it is called in the configuration.'),
            required: z.boolean().describe('Whether no head is published without it.'),
            size: whole('Over how many entries the head was that it signed last since the start.').nullable(),
            fault: failure.nullable().describe('Why it did not sign the last one.'),
            failures: whole('How often it did not sign since the start.'),
          }),
        )
        .describe('Who is asked to sign heads too.'),
      fault: failure.nullable().describe('Why there is no newer one.'),
    })
    .describe('The heads of the tree that were signed.'),
  bytes: z
    .object({
      used: whole('What the ledger takes.'),
      limit: whole('What it may take.').nullable(),
      free: whole('What can still be written, by the limit and the disk.').nullable(),
    })
    .describe('Its space.'),
  days_left: z
    .number()
    .nullable()
    .describe('How long the free space lasts at the rate since the start; `null` while nobody knows, and in the first ten minutes.'),
  identities: z.object({
    entries: whole('How many the index knows.'),
    rebuilding: z.boolean().describe('Whether it is being made again.'),
  }),
  damage: z.string().nullable().describe('What the check of older segments found.'),
  retention: z
    .object({
      state: z.enum(['off', 'idle', 'held']).describe('`held`: something has to go and cannot.'),
      held_by: z
        .object({
          kind: z
            .enum(['destination', 'removed', 'identities', 'tree', 'clock', 'snapshots', 'heads'])
            .describe(
              'What holds it. `removed`: a destination that is no longer configured and was not forgotten. `heads`: the ' +
                'removal is not under a published head yet.',
            ),
          name: z.string().describe('Which destination; empty for all else.'),
          index: whole('The oldest entry that has to stay; for the clock the entry about its step.'),
        })
        .nullable()
        .describe('Who or what holds it.'),
      removed: whole('Entries that were removed since the start.'),
    })
    .describe('What becomes of old entries.'),
});

/** What `GET /v1/status` answers. */
export const statusShape = z.object({
  ledger,
  sources: z.record(z.string(), sourceShape).describe('The sources by name.'),
  producers: z
    .object({
      tracked: whole('Producers whose numbers are followed.'),
      open_ranges: whole('Holes in their numbers that are open.'),
      not_tracked: whole('Producers that are no longer followed.'),
    })
    .describe('Those who number their events.'),
  refused_bytes: whole('Bytes of events that pull sources could not turn into entries.'),
  destinations: z.record(z.string(), destinationShape).describe('The destinations by name.'),
  reload: z
    .object({
      at: z.string().describe('When, in RFC 3339.'),
      ok: z.boolean().describe('Whether the changed configuration is at work. If not, the one before is.'),
      error: failure.nullable().describe('What was wrong.'),
    })
    .nullish()
    .describe('How the last reading of a changed configuration ended; `null` before the first.'),
  api: z
    .object({
      listeners: z.array(
        z.object({
          address: z.string().describe('Where it listens.'),
          serve: z.array(z.string()).describe('What it answers.'),
          tls: z
            .object({ expires_at: z.string().describe('When its certificate ends.') })
            .nullable()
            .describe('`null` without TLS.'),
        }),
      ),
    })
    .describe('The listeners.'),
});

/** What `GET /v1/destinations` answers. */
export const destinationsShape = z.object({ destinations: statusShape.shape.destinations });
