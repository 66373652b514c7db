import { openListener } from '../api/listener.ts';
import { createRenewal } from '../api/renewal.ts';
import { readTls } from '../api/tls.ts';
import type { ApiLimits } from '../config/config.ts';
import type { WitnessConfig } from '../config/read-witness-config.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import { REQUEST_BYTES_MAX } from '../witness/requests.ts';
import { openWitness, type Witness } from '../witness/witness.ts';
import { EXIT } from './exit.ts';
import { exitSoon } from './machine.ts';
import { witnessSigner } from './witness-files.ts';
import { createWitnessRequests } from './witness-http.ts';

/** What one asker may take: docs/operating.md. */
const LIMITS: ApiLimits = { bodyBytes: REQUEST_BYTES_MAX, events: 1, connections: 1_000, requestMs: 10_000, reads: 1, streams: 1 };
/** How long a connection may say nothing. */
const SILENCE_MS = 120_000;
/** How long something that was not closed may keep a stopped process alive. */
const LINGER_MS = 5_000;

/** Runs a witness until SIGTERM or SIGINT, and gives the exit code. Rejects with the reason when it cannot go on. */
export async function runWitness(config: WitnessConfig): Promise<number> {
  const signer = witnessSigner(config);
  const ports = await openPorts({ logLevel: config.logLevel });
  const stopping = Promise.withResolvers<null>();
  const signals = listenToSignals({
    stop(signal) {
      signals.close();
      ports.log.info('stopping', { signal });
      stopping.resolve(null);
    },
    reload: () => ports.log.warn('a witness reads its configuration only when it starts; its certificates it reads again by itself'),
  });
  try {
    const witness = await openWitness({ directory: config.path, signer, logs: config.logs, ports });
    try {
      ports.log.info('the witness can be asked', { name: config.name, logs: config.logs.length, verifier_key: signer.verifierKey });
      const failure = await serve(config, witness, ports, stopping.promise);
      if (failure !== null) throw failure;
    } finally {
      await witness.close();
    }
    ports.log.info('stopped');
    return EXIT.ok;
  } finally {
    signals.close();
    await ports.close();
    exitSoon(LINGER_MS);
  }
}

/** Answers until the process is asked to stop (`null`) or cannot go on (the reason). What is being signed then is answered. */
async function serve(config: WitnessConfig, witness: Witness, ports: OpenPorts, stopping: Promise<null>): Promise<unknown> {
  const requests = createWitnessRequests(witness, ports.log);
  const tls = config.listener.tls === null ? null : await readTls(config.listener.tls, ports.disk);
  const listener = await openListener(config.listener, { requests, limits: LIMITS, tls, silenceMs: SILENCE_MS });
  const { host, port } = listener.address;
  ports.log.info('listening', { host, port, tls: tls !== null });
  const renewal = createRenewal(
    () => [listener],
    ports,
    () => {},
  );
  const failure = await Promise.race([stopping, witness.failed, requests.failed]);
  renewal.close();
  listener.stop();
  await requests.idle();
  await listener.close();
  return failure;
}
