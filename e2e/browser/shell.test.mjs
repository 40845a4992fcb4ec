// What must hold against any server, mock or real: WEIR_URL=http://127.0.0.1:7600 node --test
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, realUrl, startMock } from './browser.mjs';

let browser;
let mock;
let base;

before(async () => {
  browser = await launch();
  if (realUrl === '') mock = await startMock();
  base = realUrl === '' ? mock.url : realUrl.replace(/\/$/, '');
});

after(async () => {
  await browser?.close();
  mock?.close();
});

const kAllViews = ['map', 'flows', 'health', 'inference', 'nodes', 'status'];

// A view is settled when it shows data or one of its designed states.
async function settled(page, view) {
  await page.waitForSelector(`[data-view="${view}"] .node, [data-view="${view}"] .tr, [data-view="${view}"] .tile, [data-view="${view}"] .finding-card, [data-view="${view}"] [data-row], [data-state="empty"], [data-state="error"]`);
}

test('the first page is the map of the last 15 minutes', async () => {
  const { page, context, complaints } = await openPage(browser, base, '');
  await settled(page, 'map');
  assert.equal(await page.locator('.tab[aria-current="page"]').innerText(), 'Map');
  assert.match(await page.locator('.topbar').innerText(), /Last 15 min/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('every view loads in both themes without a complaint of the browser', async () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const view of kAllViews) {
      const { page, context, complaints } = await openPage(browser, base, `#/${view}`, { colorScheme });
      await settled(page, view);
      assert.deepEqual(complaints, [], `${view} ${colorScheme}`);
      await context.close();
    }
  }
});

test('g and a letter switch views; / focuses the filter; ? shows help; Esc closes it', async () => {
  const { page, context } = await openPage(browser, base, '#/map');
  await settled(page, 'map');
  for (const [key, view] of [['f', 'flows'], ['h', 'health'], ['i', 'inference'], ['n', 'nodes'], ['s', 'status'], ['m', 'map']]) {
    await Promise.all([page.keyboard.press('g'), page.keyboard.press(key)]);  // as one after the other as a hand does it
    await page.waitForFunction((v) => location.hash.startsWith(`#/${v}`), view);
  }
  await page.keyboard.press('?');
  await page.waitForSelector('[role="dialog"]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('[role="dialog"]', { state: 'detached' });
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter-input');
  await page.keyboard.type('g f');  // typed text is text, not a command
  assert.match(await page.evaluate(() => location.hash), /^#\/map/);
  await context.close();
});

test('Back undoes a change of view, a link reproduces it', async () => {
  const { page, context } = await openPage(browser, base, '#/map?since=1h');
  await settled(page, 'map');
  await page.click('.tab:has-text("Flows")');
  await page.waitForFunction(() => location.hash === '#/flows?since=1h');
  await page.goBack();
  await page.waitForSelector('[data-view="map"]');
  await context.close();
});

test('a filter with a mistake says where, and what helps', async () => {
  const { page, context } = await openPage(browser, base, '#/flows?filter=sevrer_port+%3D+80');
  await page.waitForSelector('[data-state="error"]');
  assert.match(await page.locator('[data-state="error"]').innerText(), /sevrer_port/);
  assert.match(await page.locator('.filter-error').innerText(), /At character 1/);
  await page.click('[data-state="error"] >> text=Clear the filter');
  await page.waitForSelector('[data-state="error"]', { state: 'detached' });
  assert.equal(await page.evaluate(() => location.hash), '#/flows');
  await context.close();
});

test('the theme switch overrides the system and is remembered', async () => {
  const { page, context } = await openPage(browser, base, '#/status', { colorScheme: 'light' });
  await settled(page, 'status');
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.click('button[aria-label="Theme: as the system"]');
  await page.click('button[aria-label="Theme: light"]');
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await settled(page, 'status');
  assert.equal(await background(), dark);
  await context.close();
});

test('no view scrolls sideways at 1024 × 700', async () => {
  for (const view of kAllViews) {
    const { page, context } = await openPage(browser, base, `#/${view}`, { viewport: { width: 1024, height: 700 } });
    await settled(page, view);
    const [content, visible] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= visible, `${view}: ${content} > ${visible}`);
    await context.close();
  }
});

test('the export address answers CSV with a header line', async () => {
  const { page, context } = await openPage(browser, base, '#/flows');
  await settled(page, 'flows');
  await page.click('button:has-text("Export")');
  const href = await page.locator('a.menu-item:has-text("CSV")').getAttribute('href');
  const answer = await page.evaluate(async (url) => { const r = await fetch(url); return [r.status, await r.text()]; }, href);
  assert.equal(answer[0], 200);
  assert.match(answer[1].split('\n')[0], /client_address/);
  await context.close();
});
