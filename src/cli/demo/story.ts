import type { Random } from '../../contracts/ports.ts';

/** One event of the demo as its producer sends it: its identity, and its JSON text. */
export interface StoryEvent {
  readonly id: string;
  readonly json: string;
}

/** Tells what happens in a made-up company, one audit event after the other. */
export interface Story {
  /** The next event of a producer, in its own numbering. */
  next(producer: string, nowMs: number): StoryEvent;
  /** Lets a producer lose the next number, as if an event had never left it. */
  loseOne(producer: string): void;
}

interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

const PEOPLE: readonly Person[] = [
  { id: 'u_ada', name: 'Ada Okafor', email: 'ada@acme.example' },
  { id: 'u_lin', name: 'Lin Zhou', email: 'lin@acme.example' },
  { id: 'u_sam', name: 'Sam Ortiz', email: 'sam@acme.example' },
  { id: 'u_eva', name: 'Eva Novák', email: 'eva@acme.example' },
];
const TENANTS = ['acme', 'globex', 'initech'];
const AGENTS = ['Mozilla/5.0 (X11; Linux x86_64)', 'Mozilla/5.0 (Macintosh)', 'acme-app/4.2 (iOS 19)'];

type Scene = (pick: Pick) => Readonly<Record<string, unknown>>;
type Pick = <Item>(items: readonly Item[]) => Item;

/** What happens where, by producer: how often each scene comes, and what it is. */
const SCENES: Readonly<Record<string, readonly (readonly [number, Scene])[]>> = {
  'shop-1': [
    [30, login],
    [12, failedLogin],
    [14, refund],
  ],
  'backoffice-1': [
    [12, login],
    [8, grantRole],
    [10, exportReport],
    [8, changeSetting],
    [4, rotateKey],
  ],
  'desk-1': [[1, agentActs]],
};

/** Opens a story. Everything that varies comes from `random`; identities are unique within one story. */
export function openStory(random: Random): Story {
  const numbers = new Map<string, number>();
  const pick: Pick = (items) => items[Math.floor(random.next() * items.length)] as (typeof items)[number];
  const run = Buffer.from(random.bytes(5)).toString('hex');
  let told = 0;
  return {
    next(producer, nowMs) {
      const seq = numbers.get(producer) ?? 1;
      numbers.set(producer, seq + 1);
      told += 1;
      const id = `evt_${run}_${told}`;
      const event = {
        id,
        occurred_at: new Date(nowMs).toISOString(),
        ...chooseScene(producer, random)(pick),
        producer: { id: producer, epoch: 1, seq },
      };
      return { id, json: JSON.stringify(event) };
    },
    loseOne: (producer) => void numbers.set(producer, (numbers.get(producer) ?? 1) + 1),
  };
}

function chooseScene(producer: string, random: Random): Scene {
  const scenes = SCENES[producer] ?? [];
  let left = random.next() * scenes.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, scene] of scenes) {
    left -= weight;
    if (left < 0) return scene;
  }
  return login;
}

function user({ id, name, email }: Person) {
  return { type: 'user', id, name, email };
}

function browser(pick: Pick) {
  return { ip: `203.0.113.${pick([4, 17, 42, 99])}`, user_agent: pick(AGENTS) };
}

function login(pick: Pick) {
  return {
    action: 'user.login',
    operation: 'login',
    outcome: 'success',
    actor: user(pick(PEOPLE)),
    tenant: pick(TENANTS),
    context: browser(pick),
  };
}

function failedLogin(pick: Pick) {
  return {
    action: 'user.login',
    operation: 'login',
    outcome: pick(['failure', 'denied']),
    severity: 'medium',
    actor: { type: 'anonymous', id: 'unknown' },
    targets: [{ type: 'user', id: pick(PEOPLE).id }],
    error: { code: 'BAD_CREDENTIALS', message: 'wrong password' },
    context: browser(pick),
  };
}

function grantRole(pick: Pick) {
  const role = pick(['billing-admin', 'support', 'auditor']);
  return {
    action: 'role.grant',
    operation: 'grant',
    outcome: 'success',
    severity: 'high',
    actor: user(pick(PEOPLE)),
    targets: [{ type: 'user', id: pick(PEOPLE).id, role: 'grantee' }],
    changes: [{ path: '/roles', before: ['member'], after: ['member', role] }],
    reason: 'ticket OPS-4711',
    tenant: pick(TENANTS),
  };
}

function refund(pick: Pick) {
  return {
    action: 'payment.refund',
    operation: 'execute',
    outcome: pick(['success', 'success', 'success', 'denied']),
    actor: user(pick(PEOPLE)),
    targets: [{ type: 'payment', id: `pay_${pick([31_337, 40_404, 55_100])}` }],
    metadata: { amount: pick([9.99, 49, 120.5]), currency: pick(['EUR', 'USD']) },
    tenant: pick(TENANTS),
    context: browser(pick),
  };
}

function exportReport(pick: Pick) {
  return {
    action: 'report.export',
    operation: 'read',
    outcome: 'success',
    severity: 'medium',
    actor: user(pick(PEOPLE)),
    targets: [{ type: 'report', id: 'customers-2026', name: 'Customers 2026' }],
    data: { rows: pick([120, 4_800, 99_000]), format: pick(['csv', 'parquet']) },
    tenant: pick(TENANTS),
  };
}

function agentActs(pick: Pick) {
  const person = pick(PEOPLE);
  return {
    action: pick(['ticket.update', 'invoice.create', 'customer.read']),
    operation: 'execute',
    outcome: pick(['success', 'success', 'failure']),
    actor: {
      type: 'agent',
      id: 'agent_desk',
      name: 'Desk assistant',
      on_behalf_of: [{ type: 'user', id: person.id, name: person.name }],
      agent: { model: 'desk-assistant-2', session: `chat_${pick([70, 71, 72])}` },
    },
    targets: [{ type: 'ticket', id: `t_${pick([811, 812, 813])}` }],
    description: `acting for ${person.name}`,
    tenant: pick(TENANTS),
  };
}

function changeSetting(pick: Pick) {
  return {
    action: 'settings.update',
    operation: 'update',
    outcome: 'success',
    severity: 'high',
    actor: user(pick(PEOPLE)),
    targets: [{ type: 'setting', id: 'session.lifetime' }],
    changes: [{ path: '/session/lifetime', before: '8h', after: pick(['1h', '30m', '24h']) }],
    tenant: pick(TENANTS),
  };
}

function rotateKey(pick: Pick) {
  return {
    action: 'api_key.rotate',
    operation: 'update',
    outcome: 'success',
    severity: 'high',
    actor: { type: 'service', id: 'svc_vault', name: 'Vault' },
    targets: [{ type: 'api_key', id: `key_${pick(['live', 'test'])}` }],
    tenant: pick(TENANTS),
  };
}
