import { z } from 'zod';
import type { SourceDefinition } from '../contracts/source.ts';

/** Settings of its own: there are none, because the API says where it listens and who may send. */
export type HttpSourceConfig = Readonly<Record<string, never>>;

/** Events that an application sends to `POST /v1/events`. The answer comes after they are durable. */
export const http: SourceDefinition<HttpSourceConfig> = {
  type: 'http',
  title: 'HTTP',
  summary: 'Takes events that applications send to `POST /v1/events`: one JSON object, an array, or one event per line.',
  config: z.strictObject({}),
  traits: { delivery: 'pushed', recountable: false },
};
