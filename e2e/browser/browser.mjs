// Starts the system's Chromium, and the mock server unless WEIR_URL names a real one.
import { chromium } from 'playwright-core';
import { startMock } from '../../web/mock/server.mjs';

const kFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const realUrl = process.env.WEIR_URL ?? '';

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: kFlags });
}

// What a page said it must not: uncaught errors, console errors, requests to other hosts. Check `complaints` at the end.
export async function openPage(browser, base, hash, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A failing request is part of some tests; the browser logs it by itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  page.on('request', (request) => { if (!request.url().startsWith(base)) complaints.push(`request to ${request.url()}`); });
  await page.goto(`${base}/${hash}`);
  return { page, context, complaints };
}

export { startMock };
