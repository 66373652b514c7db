import type { SinkTraits } from '../contracts/sink.ts';
import type { SourceDefinition } from '../contracts/source.ts';
import type { SourceConfig } from './config.ts';

/** What one hop of a path guarantees, in words, and how strong it is: 3 is exactly once and durable, lower is weaker. */
export interface Hop {
  readonly strength: 1 | 2 | 3;
  readonly words: string;
}

/** What a source guarantees up to the ledger; `caveats` are those that its definition names. */
export function sourceHop(
  source: Pick<SourceConfig, 'schema' | 'idField'>,
  traits: SourceDefinition['traits'],
  caveats: readonly string[] = [],
): Hop {
  if (traits.delivery === 'resumable') {
    const words = 'its position is durable together with its events; it resumes without a gap or a repeat';
    return caveats.length === 0 ? { strength: 3, words } : { strength: 2, words: `${words}. But: ${caveats.join('; ')}` };
  }
  if (source.schema === 'json' && source.idField === null) {
    return { strength: 1, words: 'events have no identity of their own, so one that is sent again becomes a second entry; set id_field' };
  }
  return { strength: 3, words: 'answered after it is durable; the same identity is one entry, however often it is sent' };
}

/** What a destination guarantees from the ledger on, by the traits of its sink. */
export function sinkHop({ ack, dedupe, horizonMs }: SinkTraits): Hop {
  const order = 'every entry, in order';
  const taken = ACKS[ack];
  if (dedupe === 'position')
    return { strength: ack === 'durable' ? 3 : 2, words: `${order}, once: a repeat changes nothing there; ${taken}` };
  if (dedupe === 'key') {
    const within = horizonMs === undefined ? '' : ` within ${Math.round(horizonMs / 3_600_000)} h`;
    return { strength: ack === 'durable' ? 3 : 2, words: `${order}, once: it drops a batch that it has${within}; ${taken}` };
  }
  return { strength: 1, words: `${order}; after a lost answer a batch may be there twice, with the same identity; ${taken}` };
}

/** The weakest of the hops of a path, the first one where several are equal. */
export function weakest<Named extends { readonly hop: Hop }>(hops: readonly Named[]): Named | null {
  return hops.reduce<Named | null>((found, hop) => (found === null || hop.hop.strength < found.hop.strength ? hop : found), null);
}

const ACKS: Readonly<Record<SinkTraits['ack'], string>> = {
  durable: 'taken means durable',
  received: 'taken means that it answered so',
  none: 'it cannot say that it has taken something',
};
