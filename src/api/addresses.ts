/** How many addresses are remembered at most, so that nobody can fill the memory by coming from many. */
const ADDRESSES_MAX = 4_096;

/** Something kept for each address that requests come from; the one that was asked for longest ago is forgotten first. */
export class AddressMap<Value> {
  readonly #values = new Map<string, Value>();
  readonly #make: () => Value;

  constructor(make: () => Value) {
    this.#make = make;
  }

  /** What is kept for the group of this address; made when there is nothing. */
  of(address: string): Value {
    const group = addressGroup(address);
    const value = this.#values.get(group) ?? this.#make();
    this.#values.delete(group);
    this.#values.set(group, value);
    if (this.#values.size > ADDRESSES_MAX) this.#values.delete(this.#values.keys().next().value as string);
    return value;
  }

  get size(): number {
    return this.#values.size;
  }
}

/** What counts as one sender: an IPv4 address, or the first 64 bits of an IPv6 address, of which one machine has all the rest. */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4);
  return `${groups.map((group) => group.toLowerCase().replace(/^0+(?=.)/, '')).join(':')}::/64`;
}
