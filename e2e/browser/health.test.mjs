// Health, Inference and Nodes on generated data: findings with evidence, the indicator, loads, machines, marks elsewhere.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { launch, openPage, startMock } from './browser.mjs';

let browser;
let mock;

before(async () => { [browser, mock] = [await launch(), await startMock()]; });
beforeEach(() => mock.use('normal'));
after(async () => { await browser?.close(); mock?.close(); });

async function open(hash, selector) {
  const opened = await openPage(browser, mock.url, hash);
  await opened.page.waitForSelector(selector);
  return opened;
}

const address = (page) => page.evaluate(() => decodeURIComponent(location.hash).replace(/\+/g, ' '));

test('findings are worked through: what goes on first, then evidence with charts, what is not excluded, advice', async () => {
  const { page, context, complaints } = await open('#/health?since=1d&refresh=0', '.finding-card');
  const cards = page.locator('.finding-card');
  assert.equal(await cards.count(), 5);
  assert.match(await cards.first().innerText(), /Packet loss[\s\S]*since[\s\S]*high/);
  await page.click('.finding-card:has-text("Bandwidth breach")');
  await page.waitForSelector('[data-finding] .u-over');
  const text = await page.locator('[data-finding]').innerText();
  for (const part of [/critical/, /82 % of its baseline/, /What to do/, /13\.9 GB of 15\.1 GB/, /chunk gaps 3\.4 times/, /\+50/, /−10/, /Not excluded/, /packets that waited/]) assert.match(text, part);
  await page.keyboard.press('j');
  await page.waitForSelector('[data-finding="000000000000c3"]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('[data-section="indicator"]');
  assert.deepEqual(complaints, []);
  await context.close();
});

test('from a finding to its flows and its map, with filter and time', async () => {
  const { page, context } = await open('#/health?since=1d&refresh=0&selected=000000000000e5', '[data-finding]');
  await page.locator('.finding-facts .button:has-text("Flows")').first().click();
  await page.waitForSelector('[data-view="flows"]');
  assert.match(await address(page), /since=20.*until=20.*pod = "reports-29104560-bq7xz"/);
  await page.goBack();
  await page.waitForSelector('[data-finding]');
  await page.locator('.finding-facts .button:has-text("Map")').first().click();
  await page.waitForSelector('[data-view="map"] .node');
  assert.match(await address(page), /level=pod/);
  await context.close();
});

test('the indicator draws healthy, degraded and unknown apart, and says the rule', async () => {
  const { page, context } = await open('#/health?since=1d&refresh=0', '[data-scope]');
  const row = page.locator('[data-scope="zones:eu-1b,eu-1c"]');
  assert.ok(await row.locator('.band.degraded').count() >= 2);
  assert.ok(await row.locator('.band.healthy').count() >= 2);
  assert.match(await page.locator('[data-scope="zones:eu-1a,eu-1a"]').innerText(), /unknown/);
  assert.equal(await page.locator('[data-scope="zones:eu-1a,eu-1a"] .band.unknown').count(), 2);  // a time without a server in between
  assert.match(await page.locator('.rule').innerText(), /1 \(degraded\)[\s\S]*Unknown is not healthy/);
  await row.locator('button').click();
  assert.match(await page.locator('tr.detail').innerText(), /flows judged/);
  await context.close();
});

test('a choice of findings, and hostile texts as text', async () => {
  const { page, context, complaints } = await open('#/health?since=1d&refresh=0', '.finding-card');
  await page.selectOption('select[aria-label="Confidence"]', 'high');
  await page.waitForFunction(() => document.querySelectorAll('.finding-card').length === 2);
  await page.selectOption('select[aria-label="Confidence"]', 'low');
  await page.click('button:has-text("Going on")');
  await page.waitForFunction(() => document.querySelectorAll('.finding-card').length === 2);
  await page.click('button:has-text("All")');
  await page.click('.finding-card:has-text("DNS trouble")');
  assert.match(await page.locator('[data-finding] h2').innerText(), /<img src=x onerror=alert\(1\)>\\u202E/);
  assert.equal(await page.locator('.main img, .subject b b').count(), 0);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('findings mark the map and the table, and lead to Health', async () => {
  const { page, context } = await open('#/map?refresh=0&level=workload', '.finding-mark');
  assert.equal(await page.locator('.node:has-text("reports") .finding-mark text').innerHTML(), '2');
  await page.locator('.node:has-text("reports")').click();
  await page.click('[data-section="findings"] button >> nth=0');
  await page.waitForSelector('[data-finding]');
  await page.click('.tab:has-text("Flows")');
  await page.waitForSelector('.tr .finding-count');
  await page.locator('.tr:has-text("shop/reports") .finding-count').first().click();
  await page.waitForSelector('[data-view="health"] [data-finding]');
  await context.close();
});

test('loads: share of baseline and peak, phases, cause and victims, earlier loads; unknown capacity is a dash', async () => {
  const { page, context, complaints } = await open('#/inference?since=1d&refresh=0', '[data-row]');
  assert.equal(await page.locator('[data-row]').count(), 4);
  assert.match(await page.locator('[data-row]').first().innerText(), /13\.9 GB[\s\S]*27\.1 s[\s\S]*4\.10 Gbit\/s[\s\S]*82 %[\s\S]*41 %[\s\S]*1\.37 ×[\s\S]*1 breach/);
  const detail = page.locator('[data-load]');
  await page.waitForSelector('[data-load] .u-over');
  assert.match(await detail.innerText(), /the node exceeded its bandwidth[\s\S]*Start, /);
  assert.match(await page.locator('[data-section="effects"]').innerText(), /Suffers[\s\S]*chunk gaps/);
  assert.match(await page.locator('[data-section="earlier"]').innerText(), /1\.37 × the median of 3 earlier loads/);
  assert.match(await page.locator('[data-row="000000000001b3"]').innerText(), /–/);
  await page.keyboard.press('j');
  await page.waitForSelector('[data-load="000000000001b1"]');
  const serving = page.locator('[data-section="serving"]');
  assert.match(await serving.innerText(), /ml\/inference[\s\S]*8000/);
  await serving.locator('.expander').first().click();
  await page.waitForSelector('[data-section="serving"] .u-over');
  const own = serving.locator('[data-serving="ml/inference"]');
  assert.match(await own.innerText(), /ms\s+[\d.]+ ms\s+> 2\.56 s/);
  assert.match(await serving.locator('[data-serving="shop/api"] [data-own]').innerText(), /unknown/);
  assert.match(await serving.locator('[data-app="not_believed"]').innerText(), /Unknown: [\s\S]*its buckets fall[\s\S]*The wire’s numbers stand/);
  await own.locator('.expander').click();
  assert.match(await serving.locator('[data-app="believed"]').innerText(), /explained[\s\S]*pass before the application starts its clock[\s\S]*vllm:time_to_first_token_seconds[\s\S]*16 running, 3 waiting/);
  assert.match(await serving.locator('[data-section="apps-without-server"]').innerText(), /timed out/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('nodes: rate against what it may carry, limits, bursts of 10 ms, pressure, who used it, accounts', async () => {
  const { page, context, complaints } = await open('#/nodes?refresh=0', '[data-node-card]');
  assert.equal(await page.locator('[data-node-card]').first().getAttribute('data-node-card'), 'node-c');  // the one that hit most limits
  await page.waitForSelector('[data-section="bursts"] .u-over');
  const text = async (section) => page.locator(`[data-section="${section}"]`).innerText();
  assert.match(await text('limits'), /inbound bandwidth[\s\S]*48,112/);
  assert.match(await text('bursts'), /highest step 9\.80 Gbit\/s, 98(\.0)? % of peak/);
  assert.match(await text('pressure'), /pod-api[\s\S]*1\.90 s/);
  await page.waitForSelector('[data-section="users"] tbody tr');
  assert.match(await text('users'), /ml\/inference/);
  assert.match(await text('accounts'), /No flow accounts for/);
  await page.click('[data-node-card="node-d"]');
  await page.waitForSelector('[data-node-detail="node-d"]');
  assert.match(await page.locator('[data-node-detail]').innerText(), /silent[\s\S]*What it may carry is unknown[\s\S]*operation not permitted/);
  assert.deepEqual(complaints, []);
  await context.close();
});

for (const [view, reason] of [['health', 'no_findings'], ['inference', 'no_loads'], ['nodes', 'no_nodes']]) {
  test(`an empty ${view} says why`, async () => {
    mock.use('empty');
    const { page, context, complaints } = await open(`#/${view}?refresh=0`, `[data-reason="${reason}"]`);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}
