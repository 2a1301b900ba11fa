import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { readinessProblems } from './health.js';
import { METRICS_MEDIA_TYPE, renderMetrics } from './metrics.js';
import type { Page } from './page/page.js';
import type { SiteStatus } from './status.js';

export interface HttpOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  status: () => SiteStatus;
  /** Answers what is not one of the paths here. */
  page?: Page;
  log: Logger;
}

export interface HttpService {
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

interface Answer {
  code: number;
  mediaType: string;
  body: string;
}

/** A probe that takes longer than this to ask is cut off. */
const REQUEST_TIMEOUT_MS = 5000;
/** Connections at a time; further ones are closed at once. */
const MAX_CONNECTIONS = 100;

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** Path → answer. */
const ROUTES: Readonly<Record<string, (status: SiteStatus) => Answer>> = {
  '/livez': () => ({ code: 200, mediaType: TEXT, body: 'alive\n' }),
  '/readyz': (status) => {
    const problems = readinessProblems(status);
    if (problems.length === 0) return { code: 200, mediaType: TEXT, body: 'ready\n' };
    return { code: 503, mediaType: TEXT, body: `not ready\n${problems.join('\n')}\n` };
  },
  '/metrics': (status) => ({ code: 200, mediaType: METRICS_MEDIA_TYPE, body: renderMetrics(status) }),
  '/status': (status) => ({ code: 200, mediaType: JSON_TYPE, body: `${JSON.stringify(status)}\n` }),
};

/** Serves /livez, /readyz, /metrics and /status, and the status page. Throws CONFIG_INVALID if it cannot listen there. */
export async function startHttp({ host, port, status, page, log }: HttpOptions): Promise<HttpService> {
  const server = createServer((request, response) => answer({ request, response, status, page, log }));
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw new TandemError(
      'CONFIG_INVALID',
      `cannot listen on ${host}:${port} (${(cause as NodeJS.ErrnoException).code})`,
      {
        cause,
        hint: 'Choose another httpPort or httpHost, or httpPort 0 to go without.',
      },
    );
  }
  server.on('error', (err) => log.warn({ err }, 'the HTTP port failed'));
  page?.start();
  const { port: boundPort } = server.address() as AddressInfo;
  log.info({ host, port: boundPort }, 'serving health and metrics over HTTP');
  return {
    port: boundPort,
    close: () => {
      page?.close();
      return closeServer(server);
    },
  };
}

function answer({
  request,
  response,
  status,
  page,
  log,
}: { request: IncomingMessage; response: ServerResponse } & Pick<
  HttpOptions,
  'status' | 'page' | 'log'
>): void {
  try {
    if (page?.answers(request, response)) return;
    const { code, mediaType, body } = answerTo(request, status);
    response.writeHead(code, {
      'content-type': mediaType,
      'cache-control': 'no-store',
      ...(code === 405 ? { allow: 'GET, HEAD' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  } catch (err) {
    log.error({ err, path: request.url }, 'an HTTP request could not be answered');
    response.writeHead(500, { 'content-type': TEXT }).end('an error, see the log\n');
  }
}

function answerTo({ method, url }: IncomingMessage, status: () => SiteStatus): Answer {
  const route = ROUTES[(url ?? '').split('?')[0] ?? ''];
  if (route === undefined)
    return { code: 404, mediaType: TEXT, body: `not found; there are ${Object.keys(ROUTES).join(', ')}\n` };
  if (method !== 'GET' && method !== 'HEAD')
    return { code: 405, mediaType: TEXT, body: 'only GET and HEAD\n' };
  return route(status());
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
