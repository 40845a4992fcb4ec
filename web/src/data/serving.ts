// Who answers requests, on the wire and by the application's own numbers, as /serving answers it; and how it is asked for.
import { ask } from './api';
import type { AnswerFacts, FlowRow } from './types';
import type { TimeRange } from '../domain/time';

// One number of an application. Times have a count and a mean, and quantiles where it keeps a histogram.
export interface AppFigure {
  name: string;     // OpenTelemetry's, where it has one
  series: string;   // the application's
  count?: number;
  value?: number;   // of a gauge: the latest
  mean_us?: number | null;
  p50_us?: number | null;
  p99_us?: number | null;
  p50_between_us?: [number, number | null] | null;  // the bucket it lies in; null: no upper bound
  p99_between_us?: [number, number | null] | null;
}

export interface Beside {
  measure: 'first_chunk' | 'chunk_gap' | 'request_duration';
  verdict: 'agree' | 'explained' | 'unexplained' | 'contradiction' | 'different_requests' | 'unknown';
  confidence: 'high' | 'medium' | 'low' | 'none';
  wire_mean_us: number | null;
  app_mean_us: number | null;
  difference_us: number | null;  // wire minus application
  sentence: string;
}

export interface App {
  url: string;
  name: string;
  server: string;
  clock_starts: string;
  state: 'waiting' | 'believed' | 'unreachable' | 'tells_nothing' | 'not_believed';
  reason: string;   // why nothing is known of it; '' = something is
  last_believed: string | null;
  scrapes: number;
  failures: number;
  series_refused: number;
  restarts: number;
  covers: { since: string; until: string } | null;
  figures: AppFigure[];
  beside: Beside[];
}

export type ServingRow = FlowRow & { app: App | null };

export interface ServingAnswer extends AnswerFacts {
  servers: ServingRow[];
  groups: number;
  groups_left_out: number;
  apps_asked: boolean;
  apps_left_out: number;
  apps_without_server: (App & { unmatched: string })[];
}

export function askServing(q: TimeRange & { filter?: string; limit?: number }, signal?: AbortSignal): Promise<ServingAnswer> {
  return ask('serving', { ...q }, signal);
}
