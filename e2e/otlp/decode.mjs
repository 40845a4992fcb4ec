// Reads lines "metrics BASE64" or "logs BASE64" and writes each request as a line of JSON, by the code that OpenTelemetry
// generated from its own protobuf files. A field that is unknown there, or has another type, fails or is missing.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const root = require(join(dirname(require.resolve('@opentelemetry/otlp-transformer')), 'generated', 'root.js'));
const { collector } = root.opentelemetry.proto;
const types = {
  metrics: collector.metrics.v1.ExportMetricsServiceRequest,
  logs: collector.logs.v1.ExportLogsServiceRequest,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, body] = line.split(' ');
  const type = types[kind];
  const message = type.decode(Buffer.from(body, 'base64'));
  const refusal = type.verify(message);
  if (refusal) throw new Error(refusal);
  console.log(JSON.stringify(type.toObject(message, { longs: String, enums: String, defaults: false })));
}
