/** One event of a stream. */
export interface StreamEvent {
  /** `message` where the stream says nothing else. */
  readonly type: string;
  readonly data: string;
}

/**
 * Reads server-sent events from text as it arrives, in pieces of any size. `EventSource` would do it, but it cannot show a token.
 */
export function createEventReader(): { push(text: string): StreamEvent[] } {
  let rest = '';
  let type = 'message';
  let data: string[] = [];

  function take(line: string, events: StreamEvent[]): void {
    if (line === '') {
      if (data.length > 0) events.push({ type, data: data.join('\n') });
      type = 'message';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') type = value;
  }

  return {
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      const events: StreamEvent[] = [];
      for (const line of lines) take(line.endsWith('\r') ? line.slice(0, -1) : line, events);
      return events;
    },
  };
}
