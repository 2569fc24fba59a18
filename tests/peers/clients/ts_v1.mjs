// Drives an MCP server with the TypeScript SDK 1.x (legacy eras), and prints what it saw as one line of JSON.
// node ts_v1.mjs URL [OPTION...] (a path that begins with /sse: HTTP+SSE; ws: WebSocket) | node ts_v1.mjs [OPTION...] -- COMMAND [ARGUMENT...]
// The options stand in README.md.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema
} from '@modelcontextprotocol/sdk/types.js';
import { ANSWERS, CAPABILITIES, drive, parse } from './drive.mjs';

const wanted = parse(process.argv.slice(2), []);
const client = new Client({ name: 'omni-peer-ts-v1', version: '1.0.0' }, { capabilities: CAPABILITIES });
client.setRequestHandler(ElicitRequestSchema, ANSWERS.elicit);
client.setRequestHandler(CreateMessageRequestSchema, ANSWERS.sample);
client.setRequestHandler(ListRootsRequestSchema, ANSWERS.roots);
let logged = 0;
client.setNotificationHandler(LoggingMessageNotificationSchema, () => {
  logged += 1;
});
function over(url) {
  if (url.protocol === 'ws:' || url.protocol === 'wss:') return new WebSocketClientTransport(url);
  return url.pathname.startsWith('/sse') ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
}
const transport = wanted.command
  ? new StdioClientTransport({ command: wanted.command[0], args: wanted.command.slice(1), stderr: 'inherit' })
  : over(new URL(wanted.url));
// This generation tells the negotiated version to the transport alone.
let negotiated = null;
const setOnTransport = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = version => {
  negotiated = version;
  setOnTransport?.(version);
};
await drive(client, transport, wanted, {
  protocolVersion: () => negotiated,
  callTool: (call, options) => client.callTool(call, undefined, options),
  logged: () => logged
});
