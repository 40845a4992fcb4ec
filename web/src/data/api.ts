// The HTTP client: one function per question of docs/api.md. Every failure becomes an ApiError that says what
// happened and what to do; no other exception leaves this file.
import type { TimeRange } from '../domain/time';
import type { ApiErrorBody, ColumnsAnswer, FlowsAnswer, MapAnswer, SeriesAnswer, StatusAnswer } from './types';

// Relative, so that the UI also works behind a proxy that serves it under a path.
const kBase = 'api/v1';

export class ApiError extends Error {
  readonly code: string;
  readonly position: number | undefined;
  readonly remedy: string;
  readonly parameter: string;
  readonly retryAfterMs: number | undefined;

  constructor(body: ApiErrorBody, retryAfterMs?: number) {
    super(body.message);
    this.code = body.code;
    this.position = body.position;
    this.remedy = body.remedy ?? '';
    this.parameter = body.parameter ?? '';
    this.retryAfterMs = retryAfterMs;
  }
}

export type Query = Record<string, string | number | undefined>;

// Parameters that are empty are left out: the server's default is meant.
export function apiUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return `${kBase}/${path}${text === '' ? '' : `?${text}`}`;
}

function isErrorBody(body: unknown): body is { error: ApiErrorBody } {
  const error = (body as { error?: { message?: unknown } } | null)?.error;
  return typeof error?.message === 'string';
}

async function errorOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  const body: unknown = await response.json().catch(() => null);
  if (isErrorBody(body)) return new ApiError(body.error, retryAfterMs);
  return new ApiError({
    code: response.status === 401 ? 'unauthorized' : 'internal',
    message: `the server answered ${response.status} ${response.statusText}`.trim(),
    remedy: response.status === 401 ? 'reload the page and enter the token as the password' : 'look at the log of weir server',
  }, retryAfterMs);
}

export async function ask<T>(path: string, query: Query, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(apiUrl(path, query), { ...(signal ? { signal } : {}), headers: { Accept: 'application/json' } });
  } catch (cause) {
    if (signal?.aborted) throw new ApiError({ code: 'aborted', message: 'the question was withdrawn' });
    throw new ApiError({
      code: 'unreachable',
      message: `the server does not answer (${cause instanceof Error ? cause.message : 'network error'})`,
      remedy: 'check that weir server runs and that this page can reach it',
    });
  }
  if (!response.ok) throw await errorOf(response);
  try {
    return await response.json() as T;
  } catch {
    if (signal?.aborted) throw new ApiError({ code: 'aborted', message: 'the question was withdrawn' });
    throw new ApiError({ code: 'internal', message: 'the answer is not JSON', remedy: 'is there a proxy between this page and weir server?' });
  }
}

export interface Question extends TimeRange {
  filter: string;
  namespaces?: readonly string[];
}

export interface FlowsQuestion extends Question {
  groupBy: readonly string[];
  sort: string;
  limit: number;
}

function flowsQuery(q: FlowsQuestion): Query {
  return { since: q.since, until: q.until, filter: q.filter, namespace: (q.namespaces ?? []).join(','), group_by: q.groupBy.join(','), sort: q.sort, limit: q.limit };
}

export function askFlows(q: FlowsQuestion, signal?: AbortSignal): Promise<FlowsAnswer> {
  return ask('flows', flowsQuery(q), signal);
}

// Every row, however many the table shows: a file has no place to say that some are missing, so the server refuses where
// there are more than it can answer with.
export function flowsCsvUrl(q: FlowsQuestion): string {
  return apiUrl('flows', { ...flowsQuery(q), limit: undefined, format: 'csv' });
}

export function flowsJsonUrl(q: FlowsQuestion): string {
  return apiUrl('flows', { ...flowsQuery(q), limit: 'max' });
}

export interface MapQuestion extends Question {
  level: string;
  onlyProblems: boolean;
  limit?: number;
}

export function askMap(q: MapQuestion, signal?: AbortSignal): Promise<MapAnswer> {
  return ask('map', {
    since: q.since, until: q.until, filter: q.filter, namespace: (q.namespaces ?? []).join(','), level: q.level, only: q.onlyProblems ? 'problems' : 'all', limit: q.limit,
  }, signal);
}

export interface SeriesQuestion extends Question {
  columns: readonly string[];
  groupBy?: readonly string[];
  // What conditions on measures choose among: groups by these, or flows if there are none. Default: the series.
  filterGroupBy?: readonly string[];
}

export function askSeries(q: SeriesQuestion, signal?: AbortSignal): Promise<SeriesAnswer> {
  return ask('series', {
    since: q.since, until: q.until, filter: q.filter, namespace: (q.namespaces ?? []).join(','), columns: q.columns.join(','), group_by: (q.groupBy ?? []).join(','),
    filter_group_by: q.filterGroupBy && (q.filterGroupBy.join(',') || 'flow'),
  }, signal);
}

export function askColumns(signal?: AbortSignal): Promise<ColumnsAnswer> {
  return ask('columns', {}, signal);
}

export function askStatus(signal?: AbortSignal): Promise<StatusAnswer> {
  return ask('status', {}, signal);
}

export function liveUrl(filter: string, namespaces: readonly string[], replay: string): string {
  return apiUrl('live', { filter, namespace: namespaces.join(','), replay });
}
