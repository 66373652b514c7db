/**
 * The pipeline of the demo as a process of its own: what `waybill run` does, and the routes of the demo's page beside it. What the page
 * asks for is done by the process that started this one, so that it outlives `kill -9`.
 */
import { type Answer, json } from '../../api/answer.ts';
import { type Call, onlyKnown } from '../../api/call.ts';
import type { Route } from '../../api/routes.ts';
import { WaybillError } from '../../contracts/errors.ts';
import { loadConfig } from '../load-config.ts';
import { openChannel } from '../machine.ts';
import { run } from '../serve.ts';
import { type DemoQuestion, readReply } from './question.ts';

// Without the demo nobody needs this process any more, whatever way the demo went.
const channel = openChannel(() => process.exit(1));

async function answer(call: Call, question: DemoQuestion): Promise<Answer> {
  onlyKnown(call.query, []);
  const reply = readReply(await channel.ask(question));
  if (!reply.ok) throw new WaybillError(reply.code, reply.message);
  return json(200, reply.view);
}

const routes: readonly Route[] = [
  { method: 'GET', path: '/demo', need: 'read', take: (call) => answer(call, { action: 'look' }) },
  { method: 'POST', path: '/demo/play', need: 'control', take: (call) => answer(call, { action: 'play' }) },
  { method: 'POST', path: '/demo/compare', need: 'control', take: (call) => answer(call, { action: 'compare' }) },
  { method: 'POST', path: '/demo/kill', need: 'control', take: (call) => answer(call, { action: 'kill' }) },
  {
    method: 'POST',
    path: '/demo/destinations/*/break',
    need: 'control',
    take: (call) => answer(call, { action: 'break', destination: call.params[0] ?? '' }),
  },
  {
    method: 'POST',
    path: '/demo/destinations/*/repair',
    need: 'control',
    take: (call) => answer(call, { action: 'repair', destination: call.params[0] ?? '' }),
  },
];

process.exitCode = await run(loadConfig(process.argv[3] ?? ''), routes);
channel.close();
