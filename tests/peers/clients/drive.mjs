// What both TypeScript drivers share: reading the command line, asking a server for everything, printing one line.

const STEP_LIMIT_MS = 30_000;
const PAGES_MAX = 100;
const LET_GO_AFTER_MS = 500;

// What this client declares. Its user is called Ada, its model knows capitals, and it has two roots.
export const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };
const ADA = { color: 'green', ok: true };
export const ANSWERS = {
  elicit: request => ({
    action: 'accept',
    content: Object.fromEntries(
      Object.keys(request.params.requestedSchema.properties).map(name => [name, ADA[name] ?? 'Ada'])
    )
  }),
  sample: () => ({ role: 'assistant', model: 'm', stopReason: 'endTurn', content: { type: 'text', text: 'Paris' } }),
  roots: () => ({ roots: [{ uri: 'file:///one' }, { uri: 'file:///two' }] })
};
// Tools of the conforming server that ask their client for something, with arguments.
const ASKING = [
  ['test_input_required_result_elicitation', {}],
  ['test_input_required_result_sampling', {}],
  ['test_input_required_result_list_roots', {}],
  ['test_input_required_result_multiple_inputs', {}],
  ['test_input_required_result_multi_round', {}],
  ['test_sampling', { prompt: 'capital of France?' }],
  ['test_elicitation', { message: 'who?' }]
];

// URL or -- COMMAND, with --mode, --call, --ask and --let-go before it.
export function parse(words, modes) {
  const wanted = { url: null, command: null, mode: modes[0] ?? null, call: null, ask: [], letGo: null };
  for (let at = 0; at < words.length; at++) {
    if (words[at] === '--') {
      wanted.command = words.slice(at + 1);
      break;
    } else if (words[at] === '--mode' && modes.includes(words[at + 1])) {
      wanted.mode = words[++at];
    } else if (words[at] === '--call' && at + 2 < words.length) {
      wanted.call = { name: words[at + 1], arguments: JSON.parse(words[at + 2]) };
      at += 2;
    } else if (words[at] === '--ask' && at + 1 < words.length) {
      wanted.ask.push(words[++at]);
    } else if (words[at] === '--let-go' && at + 1 < words.length) {
      wanted.letGo = words[++at];
    } else if (!words[at].startsWith('--') && wanted.url === null) {
      wanted.url = words[at];
    } else {
      fail(`unexpected argument ${words[at]}`);
    }
  }
  if ((wanted.url === null) === !wanted.command?.length) fail('give either a URL or -- COMMAND');
  return wanted;
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

async function allPages(list, member) {
  const items = [];
  let cursor;
  for (let page = 0; page < PAGES_MAX; page++) {
    const result = await list(cursor === undefined ? {} : { cursor });
    items.push(...result[member]);
    cursor = result.nextCursor;
    if (cursor === undefined) return items;
  }
  throw new Error(`${member}: more than ${PAGES_MAX} pages`);
}

// One server's tools that ask, tell their progress and log; what they said in the end.
async function converse(client, prefix, { protocolVersion, callTool, logged }, limit) {
  const seen = { texts: {}, progress: [], logged: 0 };
  for (const [tool, args] of ASKING) {
    const result = await callTool({ name: `${prefix}${tool}`, arguments: args }, limit);
    seen.texts[tool] = result.content[0].text;
  }
  const onprogress = step => seen.progress.push(step.progress);
  await callTool({ name: `${prefix}test_tool_with_progress`, arguments: {} }, { ...limit, onprogress });
  const before = logged();
  const logging = { name: `${prefix}test_logging_tool`, arguments: {} };
  if (protocolVersion() === '2026-07-28') {
    logging._meta = { 'io.modelcontextprotocol/logLevel': 'info' };
  } else {
    await client.setLoggingLevel('info', limit);
  }
  await callTool(logging, limit);
  seen.logged = logged() - before;
  return seen;
}

// A call that is let go once it has surely been sent.
async function letGo(name, callTool, limit) {
  const controller = new AbortController();
  const call = callTool({ name, arguments: {} }, { ...limit, signal: controller.signal });
  setTimeout(() => controller.abort('not wanted any more'), LET_GO_AFTER_MS);
  const ended = await call.then(() => null, error => String(error?.message ?? error));
  // This SDK does not wait until its word is out, and would take it back when it is closed.
  await new Promise(done => setTimeout(done, LET_GO_AFTER_MS));
  return ended;
}

// The SDK's generations differ in how they tell the version, and in the arguments of a call.
export async function drive(client, transport, wanted, its) {
  const { protocolVersion, callTool } = its;
  const limit = { timeout: STEP_LIMIT_MS };
  const seen = {};
  try {
    await client.connect(transport, limit);
    seen.protocolVersion = protocolVersion();
    seen.serverInfo = client.getServerVersion() ?? null;
    seen.instructions = client.getInstructions() ?? null;
    seen.capabilities = client.getServerCapabilities() ?? {};
    const { tools, prompts, resources } = seen.capabilities;
    const has = (capability, list, member) => (capability ? allPages(list, member) : []);
    seen.tools = (await has(tools, page => client.listTools(page, limit), 'tools')).map(tool => tool.name);
    seen.prompts = (await has(prompts, page => client.listPrompts(page, limit), 'prompts')).map(prompt => prompt.name);
    seen.resources = (await has(resources, page => client.listResources(page, limit), 'resources')).map(
      resource => resource.uri
    );
    if (wanted.call) seen.call = await callTool(wanted.call, limit);
    for (const prefix of wanted.ask) (seen.asked ??= {})[prefix] = await converse(client, prefix, its, limit);
    if (wanted.letGo) seen.letGo = await letGo(wanted.letGo, callTool, limit);
    await client.close();
  } catch (error) {
    seen.error = { message: String(error?.message ?? error), code: error?.code ?? null };
  }
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(seen.error ? 1 : 0));
}
