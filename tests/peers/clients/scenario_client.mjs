// What a client does in each client scenario of the conformance suite, to a hub in front of the suite's server.
// node scenario_client.mjs URL modern|legacy, with the scenario in MCP_CONFORMANCE_SCENARIO and its data in _CONTEXT.
// It does what people's clients do (the SDKs' own, of both generations), and more naively where a client that knows
// better would hide what the hub lets through.
import { Client as Modern, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as Legacy } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [url, era] = process.argv.slice(2);
const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const limit = { timeout: 20_000 };
const INFO = { name: 'omni-scenario-client', version: '1.0.0' };

// An empty acceptance leaves every field to its default; a question to confirm is confirmed.
function answer(request) {
  const asked = request.params.requestedSchema?.properties ?? {};
  return { action: 'accept', content: 'confirmed' in asked ? { confirmed: true } : {} };
}

async function connect() {
  const capabilities = { elicitation: { form: { applyDefaults: true } } };
  if (era === 'legacy') {
    const client = new Legacy(INFO, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, async request => answer(request));
    await client.connect(new LegacyTransport(new URL(url)), limit);
    return { client, call: (name, args) => client.callTool({ name, arguments: args }, undefined, limit) };
  }
  const client = new Modern(INFO, { capabilities, versionNegotiation: { mode: 'auto' } });
  client.setRequestHandler('elicitation/create', async request => answer(request));
  await client.connect(new ModernTransport(new URL(url)), limit);
  return { client, call: (name, args) => client.callTool({ name, arguments: args }, limit) };
}

// A request of 2026-07-28 by hand.
let nextId = 1;
async function post(method, params, headers = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': INFO,
    'io.modelcontextprotocol/clientCapabilities': {}
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(params.name ? { 'mcp-name': params.name } : {}),
      ...headers
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: nextId++, method, params: { ...params, _meta } })
  });
  const text = await response.text();
  const line = text.split('\n').findLast(one => one.startsWith('data: {'));
  return JSON.parse(line ? line.slice('data: '.length) : text);
}

async function callFirst({ client, call }) {
  const { tools } = await client.listTools({}, limit);
  if (tools.length > 0) await call(tools[0].name, { a: 5, b: 3 });
}

// Everything that is listed, once.
async function useEverything({ client, call }) {
  for (const tool of (await client.listTools({}, limit)).tools) await call(tool.name, {});
  for (const resource of (await client.listResources({}, limit)).resources) {
    await client.readResource({ uri: resource.uri }, limit);
  }
  for (const prompt of (await client.listPrompts({}, limit)).prompts) {
    await client.getPrompt({ name: prompt.name }, limit);
  }
}

// A client that would itself leave out tools with wrong annotations would hide whether the hub does.
async function callAllByHand() {
  const { result } = await post('tools/list', {});
  for (const { name } of result.tools) {
    await post('tools/call', { name, arguments: { region: 'us-west1' } }, { 'mcp-param-region': 'us-west1' });
  }
}

async function callAll({ client, call }) {
  const { tools } = await client.listTools({}, limit);
  for (const { name } of tools) await call(name, { region: 'us-west1' });
}

const scenarios = {
  initialize: callFirst,
  tools_call: callFirst,
  'sse-retry': callFirst,
  'elicitation-sep1034-client-defaults': callFirst,
  'request-metadata': ({ client }) => client.listTools({}, limit),
  'json-schema-ref-no-deref': ({ client }) => client.listTools({}, limit),
  'http-standard-headers': useEverything,
  async 'sep-2322-client-request-state'({ client, call }) {
    await client.listTools({}, limit);
    await Promise.all([call('test_mrtr_echo_state', {}), call('test_mrtr_unrelated', {})]);
    await call('test_mrtr_no_state', {});
    await call('test_mrtr_no_result_type', {});
  },
  async 'http-custom-headers'({ client, call }) {
    await client.listTools({}, limit);
    for (const one of context.toolCalls) await call(one.name, one.arguments);
  },
  async 'json-schema-2020-12-preservation'({ client, call }) {
    const { tools } = await client.listTools({}, limit);
    const focal = tools.find(tool => tool.name === 'json_schema_2020_12_tool');
    await call('json_schema_echo', { schema: focal.inputSchema });
  }
};

try {
  if (scenario === 'http-invalid-tool-headers' && era === 'modern') {
    await callAllByHand();
  } else {
    const run = scenario === 'http-invalid-tool-headers' ? callAll : scenarios[scenario];
    if (!run) throw new Error(`this client does not know the scenario ${scenario}`);
    const connected = await connect();
    await run(connected);
    await connected.client.close();
  }
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
