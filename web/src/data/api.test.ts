import { afterEach, describe, expect, test, vi } from 'vitest';
import { ApiError, apiUrl, askFlows, askMap, askSeries, flowsCsvUrl, flowsJsonUrl } from './api';

const kQuestion = { since: '15m', until: 'now', filter: '', groupBy: ['server_port'], sort: '-bytes', limit: 10 };

function answer(body: string, init: ResponseInit = {}): void {
  vi.stubGlobal('fetch', vi.fn(async () => new Response(body, init)));
}

async function failure(): Promise<ApiError> {
  return askFlows(kQuestion).then(() => { throw new Error('it answered'); }, (error: ApiError) => error);
}

afterEach(() => vi.unstubAllGlobals());

describe('addresses', () => {
  test('empty parameters are left out, values are escaped', () => {
    expect(apiUrl('flows', { filter: '', since: '15m' })).toBe('api/v1/flows?since=15m');
    expect(apiUrl('flows', { filter: 'a = "&"' })).toBe('api/v1/flows?filter=a+%3D+%22%26%22');
    expect(flowsCsvUrl(kQuestion)).toContain('group_by=server_port');
    expect(flowsCsvUrl(kQuestion)).toContain('format=csv');
    expect(flowsCsvUrl(kQuestion)).not.toContain('limit');
    expect(flowsJsonUrl(kQuestion)).toContain('limit=max');
  });

  test('the map asks for problems only when told', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => { asked.push(url); return new Response('{}'); });
    await askMap({ since: '15m', until: 'now', filter: '', level: 'process', onlyProblems: true });
    await askMap({ since: '15m', until: 'now', filter: '', level: 'process', onlyProblems: false });
    expect(asked.map((url) => /only=(\w+)/.exec(url)?.[1])).toEqual(['problems', 'all']);
  });

  test('a series counts the flows, or the groups, that a table shows', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => { asked.push(url); return new Response('{}'); });
    for (const filterGroupBy of [undefined, [], ['server_port', 'protocol']]) {
      await askSeries({ since: '15m', until: 'now', filter: 'bytes > 5', columns: ['bytes'], ...(filterGroupBy && { filterGroupBy }) });
    }
    expect(asked.map((url) => new URLSearchParams(url.split('?')[1]).get('filter_group_by'))).toEqual([null, 'flow', 'server_port,protocol']);
  });
});

describe('errors', () => {
  test('keep the server’s message, position and remedy', async () => {
    answer(JSON.stringify({ error: { code: 'invalid', message: 'at character 8: no', parameter: 'filter', position: 8, remedy: 'write it' } }), { status: 400 });
    expect(await failure()).toMatchObject({ code: 'invalid', message: 'at character 8: no', position: 8, remedy: 'write it', parameter: 'filter' });
  });

  test('a busy server says when to come back', async () => {
    answer(JSON.stringify({ error: { code: 'busy', message: 'queue full' } }), { status: 503, headers: { 'Retry-After': '7' } });
    expect((await failure()).retryAfterMs).toBe(7000);
  });

  test('an answer that is no JSON, good or bad, is explained', async () => {
    answer('<html>proxy</html>', { status: 502, statusText: 'Bad Gateway' });
    expect((await failure()).message).toContain('502');
    answer('<html>', { status: 200 });
    expect((await failure()).remedy).toContain('proxy');
  });

  test('no server at all', async () => {
    vi.stubGlobal('fetch', async () => { throw new TypeError('Failed to fetch'); });
    const error = await failure();
    expect(error).toBeInstanceOf(ApiError);
    expect(error.code).toBe('unreachable');
    expect(error.remedy).toContain('weir server');
  });
});
