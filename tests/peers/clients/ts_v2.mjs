// Drives an MCP server with the TypeScript SDK 2.x (both eras), and prints what it saw as one line of JSON.
// node ts_v2.mjs URL [OPTION...] (a path that begins with /sse: HTTP+SSE) | node ts_v2.mjs [OPTION...] -- COMMAND [ARGUMENT...]
// The options stand in README.md.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { ANSWERS, CAPABILITIES, drive, parse } from './drive.mjs';

const wanted = parse(process.argv.slice(2), ['auto', 'legacy']);
const client = new Client(
  { name: 'omni-peer-ts-v2', version: '1.0.0' },
  { capabilities: CAPABILITIES, versionNegotiation: { mode: wanted.mode } }
);
client.setRequestHandler('elicitation/create', ANSWERS.elicit);
client.setRequestHandler('sampling/createMessage', ANSWERS.sample);
client.setRequestHandler('roots/list', ANSWERS.roots);
let logged = 0;
client.setNotificationHandler('notifications/message', () => {
  logged += 1;
});
function over(url) {
  return url.pathname.startsWith('/sse') ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
}
const transport = wanted.command
  ? new StdioClientTransport({ command: wanted.command[0], args: wanted.command.slice(1), stderr: 'inherit' })
  : over(new URL(wanted.url));
await drive(client, transport, wanted, {
  protocolVersion: () => client.getNegotiatedProtocolVersion() ?? null,
  callTool: (call, options) => client.callTool(call, options),
  logged: () => logged
});
