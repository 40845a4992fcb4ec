// useQuestion: asks when its key changes, on the page's refresh rhythm and on demand; keeps the last answer on screen
// meanwhile. A hidden tab does not refresh.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api';
import { effectiveRefreshMs, store, useStore } from './store';
import type { AnswerFacts } from './types';

export interface Asked<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;   // the key changed and its answer is not here yet
  answeredMs: number;
}

export interface QuestionOptions {
  refreshMs?: number;      // default: the page's
  showFacts?: boolean;     // put the answer's facts in the footer
}

export function useQuestion<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, options: QuestionOptions = {}): Asked<T> {
  const [state, setState] = useState<Asked<T>>({ data: undefined, error: undefined, loading: true, answeredMs: 0 });
  const reloads = useStore((s) => s.reload);
  const pageRefreshMs = useStore(effectiveRefreshMs);
  const latest = useRef(ask);
  latest.current = ask;
  const refreshMs = options.refreshMs ?? pageRefreshMs;

  useEffect(() => {
    if (key !== null) setState((old) => ({ ...old, loading: true }));
  }, [key]);

  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      let waitMs = refreshMs;
      try {
        const data = await latest.current(abort.signal);
        if (abort.signal.aborted) return;
        setState({ data, error: undefined, loading: false, answeredMs: Date.now() });
        if (options.showFacts) store.set({ facts: data as AnswerFacts & T });
      } catch (cause) {
        if (abort.signal.aborted) return;
        const error = cause instanceof ApiError ? cause
          : new ApiError({ code: 'internal', message: String(cause), remedy: 'this is a defect of the page; reload it' });
        setState((old) => ({ ...old, error, loading: false }));
        waitMs = Math.max(refreshMs, error.retryAfterMs ?? 0);
      }
      if (refreshMs > 0) timer = setTimeout(next, waitMs);
    };
    const next = () => {
      if (document.hidden) document.addEventListener('visibilitychange', next, { once: true });
      else void run();
    };
    void run();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', next);
    };
  }, [key, reloads, refreshMs]);

  return state;
}
