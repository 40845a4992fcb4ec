// The status page on generated data: agents, probes with reason and hint, losses, store, counters.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, startMock } from './browser.mjs';

let browser;
let mock;

before(async () => { [browser, mock] = [await launch(), await startMock()]; });
after(async () => { await browser?.close(); mock?.close(); });

test('agents, silent ones first, and why a probe is off', async () => {
  const { page, context, complaints } = await openPage(browser, mock.url, '#/status');
  await page.waitForSelector('tr[data-agent]');
  assert.deepEqual(await page.$$eval('tr[data-agent]', (rows) => rows.map((r) => r.dataset.agent)), ['node-d', 'node-a', 'node-b', 'node-c']);
  const text = await page.locator('[data-view="status"]').innerText();
  assert.match(text, /no tracepoint tcp\/tcp_retransmit_skb[\s\S]*What helps: kernel 5\.10/);
  assert.match(text, /run the agent with CAP_BPF/);
  assert.match(text, /Agent node-d has been silent/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the store says how far back data reaches, with units', async () => {
  const { page, context } = await openPage(browser, mock.url, '#/status');
  const store = page.locator('section:has(h2:has-text("Store"))');
  await store.waitFor();
  assert.match(await store.innerText(), /raw[\s\S]*MiB[\s\S]*2 d back/);
  assert.match(await page.locator('.tiles').innerText(), /1\.22 GiB\s*of 10 GiB budget/);
  await context.close();
});

test('losses come first among the counters, and each has its meaning', async () => {
  const { page, context } = await openPage(browser, mock.url, '#/status');
  const counters = page.locator('section:has(h2:has-text("Counters")) tbody tr');
  await counters.first().waitFor();
  assert.match(await counters.first().innerText(), /weir_agent_kernel_ring_full_total\s*14\s*loss\s*Final records lost/);
  const shown = await counters.count();
  await page.click('button:has-text("Zeros too")');
  await page.waitForFunction((n) => document.querySelectorAll('section:last-of-type tbody tr').length > n, shown);
  await page.fill('#counter-search', 'no such counter');
  await page.waitForSelector('text=No counter matches.');
  await context.close();
});

test('without agents it says how to start one', async () => {
  mock.use('no_agents');
  const { page, context } = await openPage(browser, mock.url, '#/status');
  await page.waitForSelector('[data-state="empty"]');
  assert.match(await page.locator('[data-state="empty"]').innerText(), /weir agent --server 127\.0\.0\.1:\d+/);
  mock.use('normal');
  await context.close();
});
