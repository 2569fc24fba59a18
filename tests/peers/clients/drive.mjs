// What both TypeScript drivers share: reading the command line, asking a server for everything, printing one line.

const STEP_LIMIT_MS = 30_000;
const PAGES_MAX = 100;

// URL or -- COMMAND, with --mode and --call before it.
export function parse(words, modes) {
  const wanted = { url: null, command: null, mode: modes[0] ?? null, call: null };
  for (let at = 0; at < words.length; at++) {
    if (words[at] === '--') {
      wanted.command = words.slice(at + 1);
      break;
    } else if (words[at] === '--mode' && modes.includes(words[at + 1])) {
      wanted.mode = words[++at];
    } else if (words[at] === '--call' && at + 2 < words.length) {
      wanted.call = { name: words[at + 1], arguments: JSON.parse(words[at + 2]) };
      at += 2;
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

// The SDK's generations differ in how they tell the version, and in the arguments of a call.
export async function drive(client, transport, wanted, { protocolVersion, callTool }) {
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
    await client.close();
  } catch (error) {
    seen.error = { message: String(error?.message ?? error), code: error?.code ?? null };
  }
  process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(seen.error ? 1 : 0));
}
