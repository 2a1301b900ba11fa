/**
 * The status page: files, the events that keep it up to date, the lists it asks for, and the actions of a person with the token.
 *
 * | path | answer |
 * | --- | --- |
 * | `/`, `/page.css` … | the files |
 * | `/page/events` | server-sent events: `status` each second, with the reasons of `/readyz` and what is known of the lags, `points` when a plotted interval ends, `lists` while it is looked at |
 * | `/page/history?span=1h` | all points of a span |
 * | `/page/conflicts?pattern=…` | the newest conflicts |
 * | `POST /page/actions` | does what its body says; 401 without the token, 403 from another page, 404 where there is no token |
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../log/log.js';
import { assetOf } from './assets.js';
import { EventStream, MAX_LISTENERS } from './events.js';
import { readinessProblems } from '../health.js';
import { knownLag } from '../lag.js';
import { History, isSpan } from './history.js';
import type { PageAction, PageSource } from './page-source.js';
import type { SiteStatus } from '../status.js';

export interface PageOptions {
  readonly source: PageSource;
  /** Allows actions to whoever gives it; undefined: there are none. */
  readonly token: string | undefined;
  readonly log: Logger;
}

/** How often the status is sampled and told. */
const STATUS_MS = 1000;
/** How often the lists are read while a page shows them. */
const LISTS_MS = 2000;
/** Bytes of an action. */
const MAX_BODY = 1024;
const MAX_PATTERN = 200;

const JSON_TYPE = 'application/json; charset=utf-8';
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** What an answer is: its code, and what it says. */
interface Answer {
  readonly code: number;
  readonly body: unknown;
}

export class Page {
  readonly #options: PageOptions;
  readonly #history = new History();
  readonly #events = new EventStream();
  readonly #timers: NodeJS.Timeout[] = [];
  #isReading = false;

  constructor(options: PageOptions) {
    this.#options = options;
  }

  /** Begins to sample. */
  start(): void {
    this.#timers.push(setInterval(() => this.#sample(), STATUS_MS).unref());
    this.#timers.push(setInterval(() => void this.#tellLists(), LISTS_MS).unref());
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#events.close();
  }

  /** Answers a request of the page's; false where it is none. */
  answers(request: IncomingMessage, response: ServerResponse): boolean {
    if (!URL.canParse(request.url ?? '/', 'http://page')) return false;
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://page');
    if (path === '/page/actions') {
      this.#answerLater(response, this.#action(request));
      return true;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    if (path === '/page/events' && request.method === 'GET') this.#listen(response);
    else if (path === '/page/history') answer(response, this.#points(searchParams.get('span') ?? ''));
    else if (path === '/page/conflicts')
      this.#answerLater(response, this.#conflicts(searchParams.get('pattern') ?? ''));
    else {
      const asset = assetOf(path);
      if (!asset) return false;
      response.writeHead(200, { ...HEADERS, 'content-type': asset.mediaType });
      response.end(request.method === 'HEAD' ? undefined : asset.body);
    }
    return true;
  }

  #sample(): void {
    const status = this.#options.source.status();
    const points = this.#history.sample(status);
    if (!this.#events.isHeard) return;
    this.#events.send('status', pictureOf(status));
    if (points.length > 0) this.#events.send('points', points);
  }

  #listen(response: ServerResponse): void {
    if (!this.#events.add(response, HEADERS)) {
      answer(response, { code: 503, body: { error: `${MAX_LISTENERS} pages are open already` } });
      return;
    }
    const { source, token } = this.#options;
    this.#events.send('hello', { canAct: token !== undefined, showsData: source.showsData });
    const status = source.status();
    this.#events.send('status', pictureOf(status));
    void this.#tellLists();
  }

  async #tellLists(): Promise<void> {
    if (!this.#events.isHeard || this.#isReading) return;
    this.#isReading = true;
    const { source, log } = this.#options;
    try {
      const [rejected, jobs] = await Promise.all([source.rejected(), source.jobs()]);
      this.#events.send('lists', { rejected, jobs, warnings: source.warnings() });
    } catch (err) {
      log.debug({ err }, 'the lists of the status page could not be read');
      this.#events.send('lists', { rejected: null, jobs: null, warnings: source.warnings() });
    } finally {
      this.#isReading = false;
    }
  }

  #points(span: string): Answer {
    return isSpan(span)
      ? { code: 200, body: this.#history.points(span) }
      : { code: 400, body: { error: 'no such span' } };
  }

  async #conflicts(pattern: string): Promise<Answer> {
    return { code: 200, body: await this.#options.source.conflicts(pattern.slice(0, MAX_PATTERN)) };
  }

  #answerLater(response: ServerResponse, answering: Promise<Answer>): void {
    const { log } = this.#options;
    answering
      .catch((err: unknown) => {
        log.debug({ err }, 'a request of the status page failed');
        return { code: 503, body: { error: 'the server did not answer' } };
      })
      .then((one) => answer(response, one))
      .catch((err: unknown) => log.error({ err }, 'an HTTP request could not be answered'));
  }

  async #action(request: IncomingMessage): Promise<Answer> {
    const { token, source, log } = this.#options;
    if (token === undefined) return { code: 404, body: { error: 'this page only shows: see httpTokenFile' } };
    if (request.method !== 'POST') return { code: 405, body: { error: 'only POST' } };
    const { origin, host, authorization } = request.headers;
    if (origin !== undefined && hostOf(origin) !== host)
      return { code: 403, body: { error: 'from another page' } };
    if (!isSame(authorization ?? '', `Bearer ${token}`))
      return { code: 401, body: { error: 'the token is missing or wrong' } };
    const action = parseAction(await bodyOf(request));
    if (!action) return { code: 400, body: { error: 'no such action' } };
    await source.act(action);
    log.info({ action: action.kind }, 'the status page was used');
    return { code: 200, body: { done: true } };
  }
}

function answer(response: ServerResponse, { code, body }: Answer): void {
  response.writeHead(code, { ...HEADERS, 'content-type': JSON_TYPE });
  response.end(JSON.stringify(body));
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** In the same time whatever differs. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY) return '';
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parseAction(text: string): PageAction | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { kind, direction, id } = (said ?? {}) as Record<string, unknown>;
  if ((kind === 'pause' || kind === 'resume') && (direction === 'outbound' || direction === 'inbound'))
    return { kind, direction };
  if ((kind === 'retry' || kind === 'drop') && typeof id === 'string' && /^\d+-\d+$/.test(id))
    return { kind, id };
  return undefined;
}

/** A status, and what is to be read out of it. */
function pictureOf(status: SiteStatus): Record<string, unknown> {
  const lags = { outbound: knownLag(status, 'outbound'), inbound: knownLag(status, 'inbound') };
  return { ...status, problems: readinessProblems(status), lags };
}
