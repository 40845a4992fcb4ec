// The flow table on generated data: columns, sorting, grouping, filters by click, brush, live tail, drawer.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { launch, openPage, startMock } from './browser.mjs';

let browser;
let mock;

before(async () => { [browser, mock] = [await launch(), await startMock({ liveEveryMs: 200 })]; });
beforeEach(() => mock.use('normal'));
after(async () => { await browser?.close(); mock?.close(); });

async function openFlows(hash = '#/flows?refresh=0', options = {}) {
  const opened = await openPage(browser, mock.url, hash, options);
  await opened.page.waitForSelector('.tr');
  return opened;
}

// Processes in columns of their own, as a reader may choose them.
const kByProcess = '#/flows?refresh=0&columns=client_process,server_process,server_port,bytes';

const headers = (page) => page.$$eval('.th button > span', (cells) => cells.map((c) => c.textContent.trim()));

test('rows, totals and units', async () => {
  const { page, context, complaints } = await openFlows();
  assert.equal(await page.locator('.table').getAttribute('aria-rowcount'), '23');
  const row = await page.locator('.tr', { hasText: 'models.s3' }).innerText();
  assert.match(row, /GiB/);
  assert.match(row, /ms/);
  assert.match(await page.locator('.totals').innerText(), /All[\s\S]*GiB/);
  const unknown = page.locator('.tr', { hasText: '1433' }).locator('.td.unknown').last();
  assert.match(await unknown.getAttribute('title'), /unknown/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('clicking a head sorts, again reverses, and the address tells', async () => {
  const { page, context } = await openFlows();
  await page.click('.th button:has-text("RTT avg")');
  await page.waitForFunction(() => document.querySelector('.tr')?.textContent.includes('31 ms'));
  assert.equal(await page.locator('.th[aria-sort="descending"]').count(), 1);
  await page.click('.th button:has-text("RTT avg")');
  await page.waitForSelector('.th[aria-sort="ascending"]');
  assert.match(await page.evaluate(() => location.hash), /sort=rtt_avg_us/);
  await context.close();
});

test('grouping shows the chosen dimensions first', async () => {
  const { page, context } = await openFlows('#/flows?refresh=0&group_by=server_process,server_port');
  assert.deepEqual((await headers(page)).slice(0, 2), ['Server process', 'Server port']);
  const redis = page.locator('.tr', { hasText: 'redis-server' });
  assert.equal(await redis.count(), 1);
  await context.close();
});

test('columns can be hidden and shown; reset brings the default back; a new visit remembers', async () => {
  const { page, context } = await openFlows();
  await page.click('button:has-text("Columns")');
  await page.click('.picker label:has-text("Client addr")');
  await page.waitForFunction(() => ![...document.querySelectorAll('.th')].some((h) => h.textContent.includes('Client addr')));
  await page.fill('.picker input[type="search"]', 'timeouts');
  await page.locator('.picker label:has-text("Timeouts")').last().click();
  await page.waitForFunction(() => [...document.querySelectorAll('.th')].some((h) => h.textContent.includes('Timeouts')));
  assert.match(await page.evaluate(() => location.hash), /columns=client_end,server_end/);
  const next = await context.newPage();
  await next.goto(`${mock.url}/#/flows?refresh=0`);
  await next.waitForSelector('.tr');
  assert.ok((await headers(next)).every((h) => h !== 'Client addr.'));
  await context.close();
});

test('a column can be made wider, and the address keeps it', async () => {
  const { page, context } = await openFlows();
  const grip = page.locator('.th .grip').first();
  const box = await grip.boundingBox();
  await page.mouse.move(box.x + 4, box.y + 8);
  await page.mouse.down();
  await page.mouse.move(box.x + 84, box.y + 8, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => /widths=client_end\.\d+/.test(location.hash));
  const width = await page.locator('.td.c0').first().evaluate((e) => e.offsetWidth);
  assert.ok(width > 190, `${width}`);
  await context.close();
});

test('+ and − on a cell add to the filter', async () => {
  const { page, context } = await openFlows(kByProcess);
  const cell = page.locator('.tr .td', { hasText: 'postgres' }).first();
  await cell.hover();
  await cell.locator('button[aria-label^="Only"]').click();
  await page.waitForSelector('.chip:has-text("server_process = postgres")');
  await page.waitForFunction(() => document.querySelectorAll('.tr').length === 3);
  const client = page.locator('.tr .td', { hasText: 'python3' }).first();
  await client.hover();
  await client.locator('button[aria-label^="Not"]').click();
  await page.waitForSelector('.chip.excluding:has-text("client_process != python3")');
  await page.waitForFunction(() => document.querySelectorAll('.tr').length === 2);
  await page.click('button[aria-label="Remove server_process = postgres"]');
  await page.waitForFunction(() => document.querySelectorAll('.chip').length === 1);
  await context.close();
});

test('an end by its name narrows to that thing, and can be excluded', async () => {
  const { page, context } = await openFlows();
  const cell = page.locator('.tr .td', { hasText: 'shop/storefront' }).first();
  await cell.hover();
  await cell.locator('button[aria-label^="Only"]').click();
  await page.waitForFunction(() => document.querySelectorAll('.chip').length === 2);
  assert.match(await page.evaluate(() => decodeURIComponent(location.hash)), /_namespace\+=\+shop\+and\+(client|server)_workload\+=\+storefront/);
  const other = page.locator('.tr .td', { hasText: 'shop/api' }).or(page.locator('.tr .td', { hasText: 'ingress/gateway' })).first();
  await other.hover();
  await other.locator('button[aria-label^="Not"]').click();
  await page.waitForSelector('.chip.excluding');
  await context.close();
});

test('presets: within the cluster with both zones, cloud services by class, the outside, failures', async () => {
  const { page, context, complaints } = await openFlows();
  await page.click('button:has-text("Cluster")');
  await page.waitForFunction(() => [...document.querySelectorAll('.th')].some((h) => h.textContent.includes('Remote zone')));
  const names = await headers(page);
  for (const name of ['Client', 'Local zone', 'Server', 'Remote zone', 'Data transferred', 'Retransmissions', 'Retr. timeouts', 'RTT']) assert.ok(names.some((n) => n.startsWith(name)), name);
  await page.waitForSelector('.tr:has-text("eu-1b"):has-text("eu-1c")');
  assert.equal(await page.locator('.tr:has-text("models.s3")').count(), 0);
  await page.click('button:has-text("Cloud services")');
  await page.waitForSelector('.tr:has-text("object_store")');
  assert.equal(await page.locator('.tr').count(), 2);
  await page.click('button:has-text("External")');
  await page.waitForSelector('.tr:has-text("203.0.113.77")');
  await page.click('button:has-text("Failures")');
  await page.waitForFunction(() => document.querySelector('.tr')?.textContent.includes('1433'));
  assert.match(await page.evaluate(() => location.hash), /preset=failures/);
  await page.click('button:has-text("Overview")');
  await page.waitForFunction(() => document.querySelector('.table')?.getAttribute('aria-rowcount') === '23');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a filter can be typed with completion of fields, operators and values', async () => {
  const { page, context } = await openFlows();
  await page.keyboard.press('/');
  await page.keyboard.type('client_pro');
  await page.waitForSelector('.completion li:has-text("client_process")');
  await page.keyboard.press('Tab');
  await page.keyboard.type('= ');
  await page.waitForSelector('.completion li:has-text("prometheus")');
  await page.keyboard.type('prom');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.chip:has-text("client_process = prometheus")');
  await page.waitForFunction(() => document.querySelectorAll('.tr').length === 2);
  await context.close();
});

test('"did you mean" is one click', async () => {
  const { page, context } = await openPage(browser, mock.url, '#/flows?refresh=0&filter=sevrer_port+%3D+22');
  await page.click('text=Use server_port');
  await page.waitForSelector('.tr:has-text("sshd")');
  await context.close();
});

test('dragging over the histogram selects the time', async () => {
  const { page, context } = await openFlows();
  const over = await page.locator('.flows-chart .u-over').boundingBox();
  await page.mouse.move(over.x + over.width * 0.5, over.y + 20);
  await page.mouse.down();
  await page.mouse.move(over.x + over.width * 0.7, over.y + 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => /since=20\d\d-.*until=20\d\d-/.test(location.hash));
  const lengthMs = await page.evaluate(() => { const q = new URLSearchParams(location.hash.split('?')[1]); return Date.parse(q.get('until')) - Date.parse(q.get('since')); });
  assert.ok(Math.abs(lengthMs - 0.2 * 900_000) < 15_000, `${lengthMs}`);
  await context.close();
});

test('a row opens with every field; raw JSON; show on map', async () => {
  const { page, context } = await openFlows();
  await page.locator('.tr', { hasText: 'ingress/gateway' }).first().click();
  const drawer = page.locator('.drawer');
  const text = await drawer.innerText();
  for (const field of ['Client netns', 'Retransmits SYN', 'RTT p99']) assert.match(text, new RegExp(field));
  await drawer.locator('text=Raw JSON').click();
  assert.match(await drawer.locator('pre').innerText(), /"bytes_to_server": \d+/);
  await drawer.locator('text=Show on map').click();
  await page.waitForSelector('.node:has-text("ingress")');
  await context.close();
});

test('Esc closes the drawer', async () => {
  const { page, context } = await openFlows();
  await page.locator('.tr').first().click();
  await page.waitForSelector('.drawer');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.drawer', { state: 'detached' });
  await context.close();
});

test('hostile names stay text in cells, titles, chips and drawer', async () => {
  const { page, context, complaints } = await openFlows(kByProcess);
  const cell = page.locator('.tr .td', { hasText: '<img' }).first();
  assert.match(await cell.getAttribute('title'), /\\u202Egnp\.\\x07\\x00exe/);
  await cell.hover();
  await cell.locator('button[aria-label^="Only"]').click();
  await page.waitForFunction(() => document.querySelectorAll('.tr').length === 2);
  assert.match(await page.locator('.chip').innerText(), /<img src=x/);
  await page.locator('.tr').first().click();
  await page.waitForSelector('.drawer');
  assert.equal(await page.locator('img').count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('only rows in sight exist, and scrolling brings the others', async () => {
  mock.use('wide');
  const { page, context } = await openFlows();
  const total = Number(await page.locator('.table').getAttribute('aria-rowcount')) - 1;
  assert.ok(total > 400);
  assert.ok(await page.locator('.tr').count() < 60);
  await page.locator('.table').evaluate((t) => { t.scrollTop = t.scrollHeight; });
  await page.waitForSelector(`.tr[aria-rowindex="${total + 1}"]`);
  await context.close();
});

test('groups left out are said, and more is one click', async () => {
  mock.use('wide');
  const { page, context } = await openFlows('#/flows?refresh=0&limit=50');
  await page.waitForSelector('.notice:has-text("groups left out")');
  await page.click('text=Show more');
  await page.waitForFunction(() => Number(document.querySelector('.table').getAttribute('aria-rowcount')) > 400);
  await context.close();
});

test('live: rows arrive, pause holds them, resume shows them', async () => {
  const { page, context } = await openFlows('#/flows?live=1');
  await page.waitForSelector('[data-view="live"] .tr');
  await page.click('button:has-text("Pause")');
  await page.waitForSelector('button:has-text("waiting")');
  const first = await page.locator('.tr').first().innerText();
  await page.waitForFunction(() => Number(/\((\d+) waiting/.exec(document.body.textContent)?.[1]) > 40);
  assert.equal(await page.locator('.tr').first().innerText(), first);
  await page.click('button:has-text("Resume")');
  await page.waitForSelector('button:has-text("Pause")');
  await page.click('.live-button');
  await page.waitForSelector('[data-view="flows"] .tr');
  await context.close();
});

test('live with a wrong filter says what is wrong with it', async () => {
  const { page, context } = await openPage(browser, mock.url, '#/flows?live=1&filter=sevrer_port+%3D+22');
  await page.waitForSelector('[data-state="error"]');
  await page.click('text=Use server_port');
  await page.waitForSelector('[data-view="live"] .tr:has-text("sshd")');
  await context.close();
});

test('the time picker: preset, one period back, own range, and a range that is none', async () => {
  const { page, context } = await openFlows();
  await page.click('button[title="Time range"]');
  await page.click('.time-panel >> text=Last 3 h');
  await page.waitForFunction(() => location.hash.includes('since=3h'));
  await page.click('button[aria-label="One period back"]');
  await page.waitForFunction(() => /since=20\d\d/.test(location.hash));
  await page.click('button[title="Time range"]');
  await page.fill('input[aria-label="From"]', 'tomorrowish');
  assert.equal(await page.locator('.time-panel button[type="submit"]').isDisabled(), true);
  await page.fill('input[aria-label="From"]', '45m');
  await page.fill('input[aria-label="To"]', 'now');
  await page.click('.time-panel button[type="submit"]');
  await page.waitForFunction(() => location.hash.includes('since=45m'));
  await context.close();
});

test('a range before all data offers the way to the oldest', async () => {
  mock.use('normal');
  const { page, context } = await openPage(browser, mock.url, '#/flows?refresh=0&since=2020-01-01T00:00:00Z&until=2020-01-01T01:00:00Z&filter=server_port+%3D+1');
  await page.waitForSelector('[data-reason="range"]');
  await page.click('text=Go to the oldest data');
  await page.waitForFunction(() => !location.hash.includes('2020'));
  await context.close();
});
