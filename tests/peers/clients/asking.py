"""What both Python drivers share: the tools that ask their client for something, and what this client answers."""

import asyncio

LET_GO_AFTER_SECONDS = 0.5
# Tools of the conforming server, with arguments. The user is called Ada, the model knows capitals, and there are two roots.
ASKING = (
    ("test_input_required_result_elicitation", {}),
    ("test_input_required_result_sampling", {}),
    ("test_input_required_result_list_roots", {}),
    ("test_input_required_result_multiple_inputs", {}),
    ("test_input_required_result_multi_round", {}),
    ("test_sampling", {"prompt": "capital of France?"}),
    ("test_elicitation", {"message": "who?"}),
)
ADA = {"color": "green", "ok": True}


def elicited(schema):
    return {name: ADA.get(name, "Ada") for name in schema["properties"]}


async def let_go(call):
    """A call that is let go once it has surely been sent; how that ended."""
    task = asyncio.ensure_future(call)
    await asyncio.sleep(LET_GO_AFTER_SECONDS)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    return None
