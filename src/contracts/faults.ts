interface FaultFacts {
  /**
   * Whether a source with `on_invalid: keep` may still store the event: it is one well-formed JSON object that fits an entry,
   * without a repeated name.
   */
  readonly keepable: boolean;
  /** What the code means: a sentence for the person who sent the event. */
  readonly means: string;
  /** What that person does. */
  readonly action: string;
}

/** Every way in which one event of a submission can be refused. `docs/formats/waybill-1.md` lists this table. */
export const FAULT_CODES = {
  EVENT_NOT_UTF8: {
    keepable: false,
    means: 'The bytes of the event are not UTF-8.',
    action: 'Send JSON in UTF-8.',
  },
  EVENT_NOT_JSON: {
    keepable: false,
    means: 'The event is not JSON as RFC 8259 defines it.',
    action: 'Correct the text at the byte that the message names. A JSON library writes it correctly.',
  },
  EVENT_NOT_OBJECT: {
    keepable: false,
    means: 'The event is JSON, but not an object.',
    action: 'Send an object: `{…}`.',
  },
  EVENT_DUPLICATE_KEY: {
    keepable: false,
    means: 'An object has the same name twice, so that readers would not agree on its value.',
    action: 'Give each name once.',
  },
  EVENT_TOO_DEEP: {
    keepable: false,
    means: 'Objects and arrays are nested in each other more than 64 deep.',
    action: 'Send a flatter event, or the nested part as a string.',
  },
  EVENT_TOO_LARGE: {
    keepable: false,
    means: 'The event has more than 64,000 bytes.',
    action: 'Shorten it, or store the large part elsewhere and send its address and SHA-256.',
  },
  EVENT_RESERVED: {
    keepable: false,
    means: 'The event uses a name that the ledger keeps for itself.',
    action: 'Rename the field.',
  },
  EVENT_FIELD_MISSING: {
    keepable: true,
    means: 'A required field is not there.',
    action: 'Send the field that the path names.',
  },
  EVENT_FIELD_TYPE: {
    keepable: true,
    means: 'A field has a value of the wrong JSON type.',
    action: 'Send the type that the message names. A field without a value is left out, not sent as null.',
  },
  EVENT_FIELD_TOO_SHORT: {
    keepable: true,
    means: 'A text is empty where something has to be named.',
    action: 'Send a value, or leave an optional field out.',
  },
  EVENT_FIELD_TOO_LONG: {
    keepable: true,
    means: 'A text, or an object with a limit of its own, is longer than its field allows.',
    action: 'Shorten it to the limit in the message.',
  },
  EVENT_FIELD_FORMAT: {
    keepable: true,
    means: 'A text does not have the form that its field demands.',
    action: 'Write it in the form that the message names.',
  },
  EVENT_FIELD_VALUE: {
    keepable: true,
    means: 'A value is not one of those that its field allows.',
    action: 'Send one of the values in the message.',
  },
  EVENT_TOO_MANY: {
    keepable: true,
    means: 'A list or an object has more items than its field allows.',
    action: 'Send no more items than the message says.',
  },
  IDENTITY_INVALID: {
    keepable: true,
    means: 'The field that names the event is not a string or a number, is empty, or has more than 512 bytes.',
    action: 'Send a short string that is different for every event, or leave the field out to have one assigned.',
  },
  IDENTITY_CONFLICT: {
    keepable: false,
    means: 'The ledger holds another event of this source with the same identity.',
    action: 'Nothing was merged or replaced. Find out which of the two is right, and send a correction under an identity of its own.',
  },
  PRODUCER_SEQ_CONFLICT: {
    keepable: false,
    means: 'The producer has used this `producer.seq` for an event with another identity.',
    action: 'Give each event of one `producer.epoch` its own `seq`, and begin a new epoch after the counter was lost.',
  },
  IDENTITY_PRUNED: {
    keepable: false,
    means: 'An entry below the oldest retained index may have this identity, and can no longer be compared with the event.',
    action: 'If the event is a repetition, drop it. If it is new, send it under an identity of its own.',
  },
  ENTRY_TOO_LARGE: {
    keepable: false,
    means: 'The event with its envelope has more than 65,535 bytes.',
    action: 'Shorten the event or its identity.',
  },
  EVENT_REFUSED: {
    keepable: false,
    means: 'The event was refused by one check and passed by the other, which is a mistake in Waybill.',
    action: 'Please report it with the event; nothing of it was accepted.',
  },
} as const satisfies Record<string, FaultFacts>;

/** The name of a fault. */
export type FaultCode = keyof typeof FAULT_CODES;

/**
 * True when a source with `on_invalid: keep` may store an event with this fault. Codes that this table does not have are never
 * keepable.
 */
export function isKeepable(code: string): boolean {
  const facts: FaultFacts | undefined = Object.hasOwn(FAULT_CODES, code) ? FAULT_CODES[code as FaultCode] : undefined;
  return facts?.keepable === true;
}
