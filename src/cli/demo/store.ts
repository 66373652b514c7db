/**
 * The object store of the demo, a process of its own, and beside it an address where the demo asks for what the store holds: `GET
 * /received` gives the lines of all objects in the order of their keys, `GET /repeats` how many objects were written over another one;
 * after `POST /broken` the store answers 503, until `POST /whole`.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type StoredObject, startObjectStore } from './object-store.ts';
import { readOrder, tellWhere } from './order.ts';

const order = (await readOrder()) as { readonly bucket: string; readonly accessKeyId: string; readonly secretAccessKey: string };
const store = await startObjectStore({ ...order, region: 'us-east-1', conditions: 'honoured' });

/** The sink also asks with an object of its own whether the store honours conditions. */
const isBatch = ({ key }: StoredObject): boolean => key.endsWith('.ndjson.gz');
const batches = (): readonly StoredObject[] => store.objects().filter(isBatch);

const control = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  // The demo asks rarely: a connection that idles would be closed in the very moment of the next question.
  response.setHeader('connection', 'close');
  switch (`${request.method} ${request.url}`) {
    case 'GET /received':
      response.end(Buffer.concat(batches().map(({ body }) => gunzipSync(body))));
      break;
    case 'GET /repeats':
      response.end(String(store.versions.filter(isBatch).length - batches().length));
      break;
    case 'POST /broken':
      store.interfere(() => ({ status: 503, code: 'SlowDown' }));
      response.end('{}');
      break;
    case 'POST /whole':
      store.interfere(() => null);
      response.end('{}');
      break;
    default:
      response.statusCode = 404;
      response.end('{}');
  }
});

control.listen(0, '127.0.0.1', () => {
  tellWhere({ url: store.url, control: `http://127.0.0.1:${(control.address() as AddressInfo).port}` });
});
