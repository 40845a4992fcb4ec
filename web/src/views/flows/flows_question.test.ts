import { describe, expect, it } from 'vitest';
import { kDefaults } from '../../data/url_state';
import { chartForRequests, forRequests } from './flows_question';
import { kCharts } from './histogram';

const question = { since: '5m', until: 'now', filter: '', groupBy: [], sort: kDefaults.sort, limit: 100 };

describe('an answer of nothing but requests', () => {
  it('is sorted and drawn by requests where the reader chose nothing', () => {
    expect(forRequests(question).sort).toBe('-requests');
    expect(kCharts.map((c) => c.id)).toContain(chartForRequests(kDefaults.chart));
  });
  it('leaves what the reader chose', () => {
    expect(forRequests({ ...question, sort: 'end' }).sort).toBe('end');
    expect(chartForRequests('latency')).toBe('latency');
  });
});
