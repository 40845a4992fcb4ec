import { defineConfig } from 'vite';

// The server embeds dist/ and sends "default-src 'self'": nothing may be inlined, neither scripts nor data: images.
export default defineConfig({
  base: './',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2021',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: { proxy: { '/api': process.env['WEIR_URL'] ?? 'http://127.0.0.1:7600' } },
});
