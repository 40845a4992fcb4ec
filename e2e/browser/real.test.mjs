// The UI against a real server: e2e/demo/hosts.py makes a small cluster with real traffic, observed by eBPF. What the screens
// show of a stretch of time that is over must be what the API says of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, openPage } from './browser.mjs';

const kRoot = fileURLToPath(new URL('../..', import.meta.url));
const kWhyNot = process.getuid() !== 0 ? 'needs root for network namespaces and eBPF'
  : !existsSync(`${kRoot}build/weir`) ? 'needs build/weir: ./dev build' : false;
const kTag = `ui${process.pid % 100}`;  // short, so that the map need not cut it
const kSpan = 10_000;

let browser;
let demo;
let base;
let range;  // since and until of a stretch that is over and fully stored

const get = async (path, parameters) => (await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`)).json();
const inRange = (view, more = {}) => `#/${view}?${new URLSearchParams({ refresh: '0', ...range, ...more })}`;

// Waits for `wanted` as long as the test runner lets it.
async function eventually(ask, wanted) {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
}

before(async () => {
  if (kWhyNot) return;
  demo = spawn('/usr/bin/python3', [`${kRoot}e2e/demo/hosts.py`, '--listen', '127.0.0.1:0', '--tag', kTag, '--seconds', '600'], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: demo.stdout })) {
    base = /Open (http:\S+?)\/? /.exec(line)?.[1];
    if (base) break;
  }
  assert.ok(base, 'the demo did not start');
  // Traffic of all five hosts, then a stretch of whole seconds in it, and both ends' reports stored.
  await eventually(() => get('map', { since: '1m' }), (map) => map.edges?.some((e) => e.health === 'failed') && map.edges.length >= 5);
  const until = Math.floor(Date.now() / 1000) * 1000 + kSpan;
  range = { since: new Date(until - kSpan).toISOString(), until: new Date(until).toISOString() };
  await eventually(() => get('flows', { since: '1m', sort: '-end', limit: 1 }), (flows) => Date.parse(flows.rows?.[0]?.end ?? 0) > until + 4000);
  browser = await launch();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  if (demo && demo.exitCode === null) {
    demo.kill('SIGTERM');
    await new Promise((resolve) => { demo.once('exit', resolve); });
  }
});

const real = (name, run) => test(name, { skip: kWhyNot, timeout: 90_000 }, run);

real('the map has every host, who calls whom, and the call that fails', async () => {
  const { page, context, complaints } = await openPage(browser, base, inRange('map', { filter: `client_netns_name ~ "^${kTag}-"` }));
  await page.waitForSelector('.node');
  const picture = await page.locator('.map-svg').innerHTML();
  for (const host of ['web', 'inference', 'objectstore', 'collector', 'batch']) assert.ok(picture.includes(`${kTag}-${host}`), host);
  assert.equal(await page.locator('.map-svg .edge').count(), 5);
  assert.equal(await page.locator('.map-svg .edge.failed').count(), 1);
  assert.deepEqual(complaints, []);
  await context.close();
});

real('a problem leads to its edge, and the edge to its flows, with the numbers of the API', async () => {
  // Something else on the machine may fail to connect as well.
  const ours = `client_netns_name ~ "^${kTag}-"`;
  const { page, context } = await openPage(browser, base, inRange('map', { filter: ours }));
  await page.locator('.problem.failed').first().click();
  const drawer = page.locator('.drawer, .panel').filter({ hasText: 'Failed attempts' });
  await drawer.waitFor();
  const map = await get('map', { ...range, filter: ours });
  const edge = map.edges.find((e) => e.health === 'failed');
  assert.ok(edge.connections_failed > 0);
  assert.match(await drawer.innerText(), new RegExp(`Failed attempts: ${edge.connections_failed} connections? of ${edge.connections_failed}`));
  await page.locator('text=Open these flows').click();
  await page.waitForSelector('[data-view="flows"] .tr');
  const filter = await page.evaluate(() => new URLSearchParams(location.hash.split('?')[1]).get('filter'));
  const flows = await get('flows', { ...range, filter });
  assert.equal(await page.locator('.tr').count(), flows.rows.length);
  assert.equal(flows.totals.connections_failed, edge.connections_failed);
  await context.close();
});

real('the table has the rows of the API, and its export the same', async () => {
  const filter = `server_port = 8000 and client_netns_name ~ "^${kTag}-"`;
  const { page, context, complaints } = await openPage(browser, base, inRange('flows', { filter, group_by: 'client_netns_name,server_netns_name' }));
  await page.waitForSelector('.tr');
  const answer = await get('flows', { ...range, filter, group_by: 'client_netns_name,server_netns_name' });
  const rows = await page.locator('.tr').allInnerTexts();
  assert.equal(rows.length, answer.rows.length);
  for (const row of answer.rows) {
    const shown = rows.find((text) => text.includes(row.client_netns_name));
    assert.ok(shown, row.client_netns_name);
    assert.match(shown, new RegExp(`\\b${row.connections_opened}\\b`));
  }
  assert.ok(answer.rows.some((row) => row.client_netns_name === `${kTag}-web` && row.bytes_to_client > 0));
  assert.deepEqual(complaints, []);
  await context.close();
});

real('live rows arrive by themselves', async () => {
  const { page, context, complaints } = await openPage(browser, base, '#/flows?live=1');
  await page.waitForFunction((host) => [...document.querySelectorAll('.tr')].some((row) => row.textContent.includes(host)), `${kTag}-inference`, { timeout: 60_000 });
  assert.deepEqual(complaints, []);
  await context.close();
});

real('status tells of the agent, its probes and the store', async () => {
  const { page, context, complaints } = await openPage(browser, base, '#/status');
  await page.waitForSelector('tr[data-agent]');
  assert.match(await page.locator('tr[data-agent]').first().innerText(), /reporting[\s\S]*eBPF/);
  assert.match(await page.locator('[data-view="status"]').innerText(), /embedded ClickHouse/);
  assert.deepEqual(complaints, []);
  await context.close();
});
