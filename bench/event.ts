/**
 * What varies from event to event, in the order in which it stands in the event. All fields have a fixed width, so that they can be
 * written in place.
 */
const ID = '00000000000000000000000000';
const TIME_US = '0000000000000000';
const SEQ = '000000000000';

/** What stands before the time of sending. */
const TIME_KEY = '"sent_us":"';

/** How the identities of a load are made. */
export type IdKind = 'ordered' | 'random';

/**
 * A batch of believable `waybill/1` events of 500 bytes each, made once and then only patched: identity, sequence and time of sending.
 * So the generator costs next to nothing on the machine that it shares with what is measured.
 */
export interface EventBatch {
  /** The batch as NDJSON. */
  readonly bytes: Buffer;
  readonly count: number;
  /** Gives every event a new identity and the next sequence numbers, and stamps the time of sending in microseconds. */
  stamp(firstSeq: number, timeUs: number): void;
}

/** The size of every generated event in bytes, its line break not included. */
export const EVENT_BYTES = 500;

/** Makes a batch of `count` events. */
export function eventBatch(count: number, idKind: IdKind, prefix: string): EventBatch {
  const line = Buffer.from(`${template()}\n`);
  const bytes = Buffer.concat(Array.from({ length: count }, () => line));
  const idAt = line.indexOf(ID);
  const timeAt = line.indexOf(TIME_KEY) + TIME_KEY.length;
  const seqAt = line.indexOf(SEQ, timeAt + TIME_US.length);
  const head = prefix.padEnd(6, 'x').slice(0, 6);
  return {
    bytes,
    count,
    stamp(firstSeq, timeUs) {
      const time = String(timeUs).padStart(TIME_US.length, '0');
      for (let k = 0; k < count; k += 1) {
        const at = k * line.length;
        const seq = String(firstSeq + k).padStart(SEQ.length, '0');
        bytes.write(idKind === 'ordered' ? `${head}${'0'.repeat(8)}${seq}` : scatter(head, firstSeq + k), at + idAt, 'latin1');
        bytes.write(time, at + timeAt, 'latin1');
        bytes.write(seq, at + seqAt, 'latin1');
      }
    },
  };
}

/**
 * A unique identity whose characters are spread evenly: two rounds of an integer mixer over the sequence number, and the number itself at
 * the end.
 */
function scatter(head: string, seq: number): string {
  const low = seq >>> 0;
  const a = mix(low ^ 0x9e3779b9)
    .toString(16)
    .padStart(8, '0');
  return `${a}${head}${seq.toString(16).padStart(12, '0')}`;
}

function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function template(): string {
  const event = {
    id: ID,
    occurred_at: '2026-11-24T11:08:09.123Z',
    action: 'invoice.refund',
    outcome: 'success',
    actor: { type: 'user', id: 'usr_48151623', email: 'ada@acme.example' },
    targets: [{ type: 'invoice', id: 'inv_2026_000471' }],
    tenant: 'acme',
    operation: 'update',
    context: { ip: '203.0.113.77', request_id: 'req_7f3a9c51d2' },
    changes: [{ path: '/status', before: 'paid', after: 'refunded' }],
    metadata: { sent_us: TIME_US, seq: SEQ, pad: '' },
  };
  const short = Buffer.byteLength(JSON.stringify(event));
  event.metadata.pad = '.'.repeat(EVENT_BYTES - short);
  return JSON.stringify(event);
}
