// Drives an MCP server with the TypeScript SDK 2.x (both eras), and prints what it saw as one line of JSON.
// node ts_v2.mjs URL [--mode auto|legacy] [--call NAME JSON] | node ts_v2.mjs [...] -- COMMAND [ARGUMENT...]
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { drive, parse } from './drive.mjs';

const wanted = parse(process.argv.slice(2), ['auto', 'legacy']);
const client = new Client(
  { name: 'omni-peer-ts-v2', version: '1.0.0' },
  { capabilities: {}, versionNegotiation: { mode: wanted.mode } }
);
const transport = wanted.command
  ? new StdioClientTransport({ command: wanted.command[0], args: wanted.command.slice(1), stderr: 'inherit' })
  : new StreamableHTTPClientTransport(new URL(wanted.url));
await drive(client, transport, wanted, {
  protocolVersion: () => client.getNegotiatedProtocolVersion() ?? null,
  callTool: (call, options) => client.callTool(call, options)
});
