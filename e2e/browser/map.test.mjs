// The map on generated data: drawing, health, selection, folding, staying put, hostile names.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { launch, openPage, startMock } from './browser.mjs';

let browser;
let mock;

before(async () => { [browser, mock] = [await launch(), await startMock()]; });
beforeEach(() => mock.use('normal'));
after(async () => { await browser?.close(); mock?.close(); });

async function openMap(hash = '#/map?refresh=0&level=process') {
  const opened = await openPage(browser, mock.url, hash);
  await opened.page.waitForSelector('.node');
  return opened;
}

test('things, arrows, and failed-only edges dashed with a cross', async () => {
  const { page, context, complaints } = await openMap();
  assert.equal(await page.locator('.node').count(), 22);
  assert.ok(await page.locator('.map-svg .edge').count() >= 20);
  const failed = page.locator('.map-svg .edge.failed').first();
  assert.notEqual(await failed.locator('.line').evaluate((e) => getComputedStyle(e).strokeDasharray), 'none');
  assert.equal(await failed.locator('.cross').count(), 1);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('problems are listed worst first and lead to the edge and its flows', async () => {
  const { page, context } = await openMap();
  const problems = page.locator('.problem');
  assert.match(await problems.first().getAttribute('class'), /failed/);
  await problems.first().click();
  await page.waitForSelector('.edge.picked');
  const drawer = page.locator('.drawer');
  await page.waitForSelector('.drawer .u-over');
  assert.match(await drawer.innerText(), /timed out/);
  assert.match(await drawer.innerText(), /RTT, average\s*–/);
  await drawer.locator('text=Open these flows').click();
  await page.waitForSelector('[data-view="flows"] .tr');
  assert.equal(await page.locator('.tr').count(), 1);
  assert.match(await page.evaluate(() => decodeURIComponent(location.hash)), /server_address\+=\+192\.168\.40\.12/);
  await context.close();
});

test('clicking an edge in the picture opens it; Esc closes it', async () => {
  const { page, context } = await openMap();
  const edge = page.locator('.map-svg .edge.warn').first();
  const point = await edge.locator('.hit').evaluate((path) => {
    const at = path.getPointAtLength(path.getTotalLength() * 0.3).matrixTransform(path.getScreenCTM());
    return { x: at.x, y: at.y };
  });
  await page.mouse.click(point.x, point.y);
  await page.waitForSelector('.edge.picked');
  await page.keyboard.press('Escape');
  await page.waitForSelector('.edge.picked', { state: 'detached' });
  await context.close();
});

test('only problems is one click and is in the address', async () => {
  const { page, context } = await openMap();
  await page.click('button:has-text("Only problems")');
  await page.waitForFunction(() => document.querySelectorAll('.map-svg .edge.ok').length === 0);
  assert.match(await page.evaluate(() => location.hash), /only=problems/);
  assert.ok(await page.locator('.map-svg .edge').count() > 0);
  await context.close();
});

test('hovering a thing dims everything but its neighbours', async () => {
  const { page, context } = await openMap();
  await page.locator('.node[aria-label^="postgres,"]').hover();
  await page.waitForSelector('.scene[data-hovering]');
  assert.equal(await page.locator('.edge[data-lit]').count(), 3);
  assert.match(await page.locator('.map-tip').innerText(), /postgres/);
  await context.close();
});

test('a refresh leaves everything where it was', async () => {
  const { page, context } = await openMap();
  const places = () => page.$$eval('.node', (nodes) => Object.fromEntries(nodes.map((n) => [n.dataset.node, n.getAttribute('transform')])));
  const before_ = await places();
  const answered = page.waitForResponse((r) => r.url().includes('/api/v1/map'));
  await page.keyboard.press('r');
  await answered;
  assert.deepEqual(await places(), before_);
  await context.close();
});

test('the keyboard moves between things and opens one', async () => {
  const { page, context } = await openMap();
  assert.equal(await page.locator('.node[tabindex="0"]').count(), 1);  // one stop for the Tab key, arrows from there
  await page.locator('.node[tabindex="0"]').focus();
  const focused = () => page.evaluate(() => document.activeElement.dataset?.node);
  const first = await focused();
  await page.keyboard.press('ArrowRight');
  const second = await focused();
  assert.ok(second && second !== first);
  await page.keyboard.press('Enter');
  await page.waitForSelector(`.node[data-node="${second}"][aria-pressed="true"]`);
  await context.close();
});

test('the label can be chosen', async () => {
  const { page, context } = await openMap();
  await page.selectOption('.map-bar select', 'rtt_avg');
  await page.waitForFunction(() => [...document.querySelectorAll('.edge-label')].some((l) => /µs|ms/.test(l.textContent)));
  await page.selectOption('.map-bar select', 'none');
  await page.waitForFunction(() => document.querySelectorAll('.edge-label').length === 0);
  await context.close();
});

test('finding marks what matches', async () => {
  const { page, context } = await openMap();
  await page.fill('input[aria-label="Find"]', 'REDIS');
  await page.waitForSelector('.node.found');
  assert.equal(await page.locator('.node.found').count(), 1);
  await context.close();
});

test('hostile names are shown, not obeyed', async () => {
  const { page, context, complaints } = await openMap();
  await page.evaluate(() => { window.alerted = 0; window.alert = () => { window.alerted += 1; }; });
  await page.locator('.problem:has-text("onerror")').first().click();
  const text = await page.locator('.drawer h2').innerText();
  assert.match(text, /<img src=x onerror=alert\(1\)>\\u202Egnp\.\\x07\\x00exe/);
  assert.equal(await page.locator('.main img').count(), 0);
  assert.equal(await page.evaluate(() => window.alerted), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('300 things fold, unfold by hand, and the picture still answers', async () => {
  mock.use('large');
  const { page, context, complaints } = await openMap();
  assert.match(await page.locator('.map-fold-note').innerText(), /300 things: groups are folded/);
  const before_ = await page.locator('.node').count();
  assert.ok(before_ <= 200);
  await page.locator('.g-fold').first().dispatchEvent('click');
  await page.waitForFunction((n) => document.querySelectorAll('.node').length === n + 1, before_);
  const scale = () => page.locator('.scene').getAttribute('transform');
  const at = await scale();
  await page.click('button[aria-label="Zoom in"]');
  await page.waitForFunction((old) => document.querySelector('.scene').getAttribute('transform') !== old, at);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('a cluster is shown by namespace at first; a double click steps in, the trail and the keyboard step out', async () => {
  const { page, context, complaints } = await openMap('#/map?refresh=0');
  assert.match(await page.locator('.map-bar').innerText(), /Namespaces \(auto\)/);
  await page.locator('.node[aria-label^="shop,"]').dblclick();
  await page.waitForSelector('.node:has-text("storefront")');
  assert.match(await page.locator('.trail').innerText(), /Everything\s*›\s*namespace\s*shop\s*› workloads/);
  await page.locator('.node[aria-label^="api,"]').focus();
  await page.keyboard.press('Shift+Enter');
  await page.waitForSelector('.node:has-text("api-5f7b8c9d66-lw9vt")');
  assert.match(await page.evaluate(() => location.hash), /level=pod/);
  await page.keyboard.press('u');
  await page.waitForFunction(() => /level=workload/.test(location.hash));
  await page.click('.trail button:has-text("Everything")');
  await page.waitForSelector('.trail', { state: 'detached' });
  await page.waitForSelector('.node:has-text("ingress")');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('edges that leave their zone are marked, and the drawer says between which zones', async () => {
  const { page, context } = await openMap('#/map?refresh=0&level=workload');
  const crossing = page.locator('.map-svg .edge:has(.zone-mark)');
  assert.ok(await crossing.count() >= 4);
  assert.equal(await page.locator('.map-svg .edge[aria-label^="gateway to storefront"] .zone-mark').count(), 0);  // both on one node
  await page.locator('.problem:has-text("reports → postgres")').click();
  await page.waitForSelector('[data-section="zones"]');
  assert.match(await page.locator('[data-section="zones"]').innerText(), /between zones[\s\S]*eu-1b\s*→\s*eu-1c/);
  await context.close();
});

test('what stands outside has its name and the glyph of its class', async () => {
  const { page, context } = await openMap('#/map?refresh=0');
  const store = page.locator('.node:has-text("Amazon S3")');
  assert.equal(await store.locator('.glyph').count(), 1);
  await store.click();
  await page.waitForSelector('.drawer .facts');
  assert.match(await page.locator('.drawer').innerText(), /object store[\s\S]*a DNS answer/);
  assert.equal(await page.locator('.drawer button:has-text("Step into")').count(), 0);
  await context.close();
});

test('several namespaces can be picked, for the map and the table alike', async () => {
  const { page, context } = await openMap('#/map?refresh=0');
  await page.click('.namespace-button');
  await page.click('.picker-row:has-text("ingress") input');
  await page.waitForFunction(() => document.querySelectorAll('.node').length === 3);
  await page.click('.picker-row:has-text("ml") input');
  await page.waitForFunction(() => /namespace=ingress,ml/.test(location.hash) && document.querySelectorAll('.node').length > 3);
  await page.click('.tab:has-text("Flows")');
  await page.waitForSelector('.tr');
  assert.equal(await page.locator('.tr:has-text("prometheus")').count(), 0);
  await context.close();
});

test('what the server left out is said', async () => {
  mock.use('huge');
  const { page, context } = await openMap();
  assert.match(await page.locator('.map-bar').innerText(), /edges left out/);
  await context.close();
});

test('a silent agent and a probe that is off are said', async () => {
  const { page, context } = await openMap();
  await page.waitForSelector('[data-state="partial"]');
  assert.match(await page.locator('.map-bar').innerText(), /agent node-d is silent/);
  await page.click('button.notice:has-text("silent")');
  await page.waitForSelector('[data-view="status"]');
  await context.close();
});

for (const [scenario, reason, remedy, hash] of [
  ['no_agents', 'no_agents', 'Open Status', ''],
  ['empty', 'silent', 'Look at the last day', ''],
  ['normal', 'filter', 'Clear the filter', '&filter=server_port+%3D+1'],
  ['empty', 'no_problems', 'Show everything', '&only=problems'],
]) {
  test(`an empty map says why: ${reason}`, async () => {
    mock.use(scenario);
    const { page, context } = await openPage(browser, mock.url, `#/map?refresh=0${hash}`);
    await page.waitForSelector(`[data-reason="${reason}"]`);
    const before_ = await page.evaluate(() => location.hash);
    await page.click(`text=${remedy}`);
    await page.waitForFunction((old) => location.hash !== old, before_);
    await context.close();
  });
}

test('an error has a remedy, and retrying helps when the cause is gone', async () => {
  mock.use('error');
  const { page, context } = await openPage(browser, mock.url, '#/map?refresh=0');
  await page.waitForSelector('[data-state="error"]');
  assert.match(await page.locator('[data-state="error"]').innerText(), /disk is full[\s\S]*free disk space/);
  mock.use('normal');
  await page.click('button:has-text("Try again")');
  await page.waitForSelector('.node');
  await context.close();
});

test('a failing refresh keeps the last good answer on screen', async () => {
  const { page, context } = await openMap();
  mock.use('error');
  await page.keyboard.press('r');
  await page.waitForSelector('[data-state="error-line"]');
  assert.equal(await page.locator('.node').count(), 22);
  await context.close();
});

test('while the answer is on its way there is a skeleton', async () => {
  mock.use('slow');
  const { page, context } = await openPage(browser, mock.url, '#/map?refresh=0');
  await page.waitForSelector('[data-state="loading"]');
  await page.waitForSelector('.node');
  assert.equal(await page.locator('[data-state="loading"]').count(), 0);
  await context.close();
});
