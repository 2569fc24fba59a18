// Subscribes to a resource with the TypeScript SDK 2.x in the way of the era it finds, has it updated by a tool, and prints
// what it heard as one line of JSON.
// node ts_v2_watch.mjs URL auto|legacy URI TOOL
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, mode, uri, tool] = process.argv.slice(2);
const limit = { timeout: 30_000 };
const seen = { updated: null };
try {
  const client = new Client(
    { name: 'omni-peer-ts-v2-watch', version: '1.0.0' },
    { capabilities: {}, versionNegotiation: { mode } }
  );
  const updated = new Promise(resolve =>
    client.setNotificationHandler('notifications/resources/updated', message => resolve(message.params.uri))
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url)), limit);
  seen.protocolVersion = client.getNegotiatedProtocolVersion() ?? null;
  if (seen.protocolVersion < '2026') {
    await client.subscribeResource({ uri }, limit);
  } else {
    const subscription = await client.listen({ resourceSubscriptions: [uri] }, limit);
    seen.honored = subscription.honoredFilter;
  }
  await client.callTool({ name: tool, arguments: { uri } }, limit);
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('no update')), limit.timeout).unref());
  seen.updated = await Promise.race([updated, late]);
  await client.close();
} catch (error) {
  seen.error = { message: String(error?.message ?? error), code: error?.code ?? null };
}
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(seen.error ? 1 : 0));
