import type { EntryLine } from '../api/shapes.ts';

/** An entry as the list shows it. */
export interface EntryView {
  readonly index: number;
  readonly time: string;
  readonly source: string;
  /** What happened. */
  readonly action: string;
  readonly outcome: string;
  /** Who did it, and for whom. */
  readonly who: string;
  /** Control entries are the pipeline's own. */
  readonly control: boolean;
}

/** Reads what an entry says; of an event without a known schema only that it is there. */
export function describeEntry({ index, entry }: EntryLine): EntryView {
  const base = { index, time: timeOf(entry.received_at), source: entry.source };
  const event = isRecord(entry.event) ? entry.event : {};
  if (entry.source === 'waybill') {
    const { type, ...facts } = event;
    return { ...base, action: text(type) ?? 'control entry', outcome: 'declared', who: factsText(facts), control: true };
  }
  const who = actorText(event['actor']);
  const action = text(event['action']) ?? (entry.schema === 'json' ? 'event' : entry.schema);
  return { ...base, action, outcome: text(event['outcome']) ?? '', who, control: false };
}

function actorText(actor: unknown): string {
  if (!isRecord(actor)) return '';
  const person = nameOf(actor);
  const [first] = Array.isArray(actor['on_behalf_of']) ? (actor['on_behalf_of'] as readonly unknown[]) : [];
  return isRecord(first) ? `${person} for ${nameOf(first)}` : person;
}

function nameOf(actor: Readonly<Record<string, unknown>>): string {
  return text(actor['name']) ?? text(actor['id']) ?? text(actor['type']) ?? '';
}

const FACTS_MAX = 3;

function factsText(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .slice(0, FACTS_MAX)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${String(value)}`)
    .join(', ');
}

/** The time of day in the reader's own zone, to the second. */
function timeOf(receivedAt: string): string {
  const time = new Date(receivedAt);
  return Number.isNaN(time.getTime()) ? '' : time.toLocaleTimeString('en-GB');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
