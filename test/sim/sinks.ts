import type { SinkDefinition, SinkTraits } from '../../src/contracts/sink.ts';
import { asIndex, type Index } from '../../src/contracts/units.ts';
import type { Receiver, ReceiverKind } from './receiver.ts';
import type { Life } from './world.ts';

/** What each kind of model destination promises; the liar promises what it does not keep. */
const DEDUPE = { position: 'position', liar: 'position', key: 'key', objects: 'key', none: 'none' } as const satisfies Record<
  ReceiverKind,
  SinkTraits['dedupe']
>;

/** The sink with which one life of the process writes to a model destination. */
export function modelSink(receiver: Receiver, life: Life, batch: SinkTraits['batch']): SinkDefinition<null> {
  const dedupe = DEDUPE[receiver.kind];
  const traits: SinkTraits = {
    ack: 'durable',
    dedupe,
    batch,
    inFlightMax: receiver.kind === 'position' || receiver.kind === 'objects' ? 4 : 1,
    carriesEmpty: receiver.kind !== 'objects',
    checkpoints: { inBatch: receiver.kind === 'key' || receiver.kind === 'none', everyMs: 50 },
  };
  return {
    type: receiver.kind,
    title: `Model destination: ${receiver.kind}`,
    summary: 'A destination of the simulation.',
    config: { safeParse: () => ({ success: true, data: null }) },
    traits: () => traits,
    target: () => receiver.name,
    open: (_config, context) => {
      receiver.begin(context.cursor);
      const ask = async (signal: AbortSignal): Promise<Index> => asIndex(await receiver.ask(life, signal));
      return Promise.resolve({
        traits,
        write: async (sinkBatch, signal) => {
          await receiver.send(life, sinkBatch, signal);
          return { through: sinkBatch.through };
        },
        checkpoint: ({ note }, signal) => receiver.bring(life, note, signal),
        ...(dedupe === 'position' ? { next: ask } : {}),
        close: () => Promise.resolve(),
      });
    },
  };
}
