/** What the server said about itself in the page. */
export interface PageFacts {
  /** Whether reading needs a token. */
  readonly tokens: boolean;
  /** Whether the routes of the demo are there. */
  readonly demo: boolean;
}

/** Reads what the server wrote into the page. */
export function readPageFacts(page: Document): PageFacts {
  const words = page.querySelector('meta[name="waybill"]')?.getAttribute('content')?.split(' ') ?? [];
  return { tokens: words.includes('tokens=yes'), demo: words.includes('demo=yes') };
}
