import type { ChoiceRule, Form, ListRule, ObjectRule, Rule, TextRule } from './check-rules.ts';
import { anything, BLOB_NAME } from './check-rules.ts';

/** What `waybill/1` asks of an event. Names that are not listed pass through untouched. */
export const waybillEventRule: ObjectRule = {
  kind: 'object',
  means: 'One thing that somebody did, or tried to do.',
  required: ['occurred_at', 'action', 'outcome', 'actor'],
  others: anything,
  fields: {
    id: {
      kind: 'identity',
      means: 'The identity: different for every event of a source, the same when the event is sent again. Assigned when absent.',
      numbers: false,
    },
    occurred_at: name('When it happened.', 64, 'date-time'),
    action: name('What was done, in dotted words from the general to the particular.', 128, 'action'),
    outcome: choice('How it ended.', ['success', 'failure', 'denied', 'unknown']),
    actor: actor(),
    targets: list('What it was done to.', 50, target()),
    tenant: name('The customer or organisation in whose name it happened.', 512),
    operation: choice('The kind of action.', [
      'create',
      'read',
      'update',
      'delete',
      'execute',
      'login',
      'logout',
      'grant',
      'revoke',
      'other',
    ]),
    error: record('Why it failed.', [], {
      code: name('A short code for programs.', 256),
      message: text('A sentence for people.', 4_096),
    }),
    context: context(),
    changes: list('What is different afterwards.', 100, change()),
    severity: choice('How much it matters.', ['info', 'low', 'medium', 'high', 'critical']),
    reason: text('Why the actor did it, in the actor’s words.', 4_096),
    description: text('What happened, in a sentence for people.', 8_192),
    correlation_id: name('Shared by all events of one operation.', 512),
    causation_id: name('The identity of the event that caused this one.', 512),
    metadata: {
      kind: 'object',
      means: 'Your own facts: plain values only.',
      fields: {},
      required: [],
      others: { kind: 'scalar', means: 'A plain value.' },
      namesMax: 50,
    },
    data: {
      kind: 'object',
      means: 'Your own facts in any form.',
      fields: {},
      required: [],
      others: anything,
      bytesMax: 16_384,
    },
    producer: record('Counts what one producer sends, so that a gap is noticed.', ['id', 'epoch', 'seq'], {
      id: name('Which producer.', 256),
      epoch: { kind: 'count', means: 'Grows whenever the producer has lost its counter.' },
      seq: { kind: 'count', means: 'Grows by one from event to event.' },
    }),
    [BLOB_NAME]: { kind: 'reserved', means: 'Reserved for events that are kept outside the ledger.' },
  },
};

function actor(): ObjectRule {
  const types = ['user', 'service', 'api_key', 'agent', 'system', 'anonymous', 'other'];
  return record('Who did it.', ['type', 'id'], {
    type: choice('What kind of actor.', types),
    id: name('The actor’s stable identifier.', 512),
    name: text('The actor’s name for people.', 512),
    email: text('The actor’s e-mail address.', 320),
    session_id: name('The session in which the actor was logged in.', 512),
    credential_id: name('The key, token or certificate that was used. Never the secret itself.', 512),
    on_behalf_of: list(
      'For whom the actor acted, the nearest first.',
      5,
      record('One principal.', ['type', 'id'], {
        type: choice('What kind of principal.', types),
        id: name('The principal’s stable identifier.', 512),
        name: text('The principal’s name for people.', 512),
        email: text('The principal’s e-mail address.', 320),
      }),
    ),
    agent: record('The software agent that acted: its name, model and version, in your own names.', [], {}),
  });
}

function target(): ObjectRule {
  return record('One thing.', ['type', 'id'], {
    type: name('What kind of thing.', 128),
    id: name('Its stable identifier.', 512),
    name: text('Its name for people.', 512),
    role: text('Which part it played.', 128),
    attributes: record('More about it, in your own names.', [], {}),
  });
}

function context(): ObjectRule {
  return record('From where and through what it was done.', [], {
    ip: name('The address of the client.', 64),
    forwarded_for: list('The addresses that the request passed, the client first.', 32, name('One address.', 64)),
    user_agent: text('The client’s software.', 2_048),
    location: text('The place of the client.', 512),
    request_id: name('The identifier of the request.', 512),
    traceparent: name('The W3C trace context.', 64, 'traceparent'),
    http: record('The HTTP request, in your own names.', [], {}),
    service: record('The service that reports the event, in your own names.', [], {}),
  });
}

function change(): ObjectRule {
  return record('One field.', ['path'], {
    path: name('Which field, best as a JSON Pointer.', 1_024),
    before: { kind: 'any', means: 'Its value before. Absent when there was none.' },
    after: { kind: 'any', means: 'Its value afterwards. Absent when there is none.' },
    redacted: { kind: 'flag', means: 'True when the values are left out on purpose.' },
  });
}

/** A text that says something: it must not be empty. */
function name(means: string, max: number, form?: Form): TextRule {
  return { kind: 'text', means, min: 1, max, ...(form === undefined ? {} : { form }) };
}

function text(means: string, max: number): TextRule {
  return { kind: 'text', means, min: 0, max };
}

function choice(means: string, values: readonly string[]): ChoiceRule {
  return { kind: 'choice', means, values };
}

function list(means: string, max: number, item: Rule): ListRule {
  return { kind: 'list', means, item, max };
}

function record(means: string, required: readonly string[], fields: Readonly<Record<string, Rule>>): ObjectRule {
  return { kind: 'object', means, fields, required, others: anything };
}
