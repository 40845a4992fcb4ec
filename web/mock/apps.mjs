// What the applications of the mock's world say of themselves: the model server is believed, and says less than the wire;
// the API's numbers are not.
const time = (name, series, mean, extra = {}) => ({
  name, series, count: 1880, mean_us: mean, p50_us: mean * 0.93, p99_us: mean * 2.1, p50_between_us: [mean * 0.6, mean * 1.2], p99_between_us: [mean * 1.2, mean * 2.4], ...extra,
});

const blank = { name: '', clock_starts: '', last_believed: null, scrapes: 240, failures: 0, series_refused: 0, restarts: 0, covers: null, figures: [], beside: [] };

export const withoutServer = {
  ...blank, url: 'http://10.0.9.9:8002/metrics', server: '', state: 'unreachable', reason: 'http://10.0.9.9:8002/metrics: Operation timed out after 3001 milliseconds',
  failures: 12, scrapes: 12, unmatched: 'no request to it was measured in this range',
};

const ms = (us) => `${Math.round(us / 1000)} ms`;

export function appOf(row, range) {
  if (row.server_port === 8000) {
    const [first, gap, whole] = [row.first_chunk_avg_us, row.chunk_gap_avg_us, row.request_duration_avg_us];
    const own = first * 0.4;
    return {
      ...blank, url: 'http://10.0.0.5:8000/metrics', name: 'ml/inference-0', server: 'vLLM', clock_starts: 'when it begins to tokenize', state: 'believed', reason: '',
      last_believed: range.until, covers: { since: range.since, until: range.until },
      figures: [
        time('gen_ai.server.time_to_first_token', 'vllm:time_to_first_token_seconds', own, { p99_us: null, p99_between_us: [2560e3, null] }),
        time('gen_ai.server.time_per_output_token', 'vllm:inter_token_latency_seconds', gap * 0.98),
        time('gen_ai.server.request.duration', 'vllm:e2e_request_latency_seconds', whole - first * 0.6),
        time('app.queue.duration', 'vllm:request_queue_time_seconds', own * 0.2),
        { name: 'app.requests.waiting', series: 'vllm:num_requests_waiting', value: 3 }, { name: 'app.requests.running', series: 'vllm:num_requests_running', value: 16 },
      ],
      beside: [
        { measure: 'first_chunk', verdict: 'explained', confidence: 'high', wire_mean_us: first, app_mean_us: own, difference_us: first - own,
          sentence: `vLLM says ${ms(own)} to the first token, the wire ${ms(first)} to the first chunk: ${ms(first - own)} pass before the application starts its clock (when it begins to tokenize); requests lie unread for ${ms(first * 0.55)}: a blocked event loop or too little CPU.` },
        { measure: 'chunk_gap', verdict: 'agree', confidence: 'high', wire_mean_us: gap, app_mean_us: gap * 0.98, difference_us: gap * 0.02, sentence: `vLLM makes a token in ${ms(gap * 0.98)}, a chunk leaves every ${ms(gap)}: they agree.` },
        { measure: 'request_duration', verdict: 'agree', confidence: 'high', wire_mean_us: whole, app_mean_us: whole - first * 0.6, difference_us: first * 0.6, sentence: `vLLM says ${ms(whole - first * 0.6)} to the end of a request, the wire ${ms(whole)} to the end of the answer: they agree.` },
      ],
    };
  }
  if (row.server_port === 8080) {
    const reason = 'vllm:time_to_first_token_seconds: its buckets fall at 0.5 s, and they add up';
    return {
      ...blank, url: 'http://10.0.0.7:8080/metrics', name: 'shop/api-0', server: 'vLLM', clock_starts: 'when it begins to tokenize', state: 'not_believed', reason, series_refused: 17,
      beside: [{ measure: 'first_chunk', verdict: 'unknown', confidence: 'none', wire_mean_us: row.first_chunk_avg_us, app_mean_us: null, difference_us: null, sentence: `What the application says of itself is unknown: ${reason}.` }],
    };
  }
  return null;
}
