//! The upstream on standard input and output, a line a message: the session eras alone, in one thread, in order.

use crate::upstream::UpstreamArgs;
use crate::upstream::legacy::{Sessions, in_session, initialize};
use crate::upstream::message::Answered;
use crate::upstream::read;
use crate::upstream::tools::Tools;
use std::io::{BufRead, BufReader, Write};

/// Serves until the input ends.
pub(crate) fn serve(args: &UpstreamArgs) -> anyhow::Result<()> {
    let (sessions, tools) = (Sessions::default(), Tools::new(args.payload, args.tools as usize));
    let mut input = BufReader::with_capacity(64 << 10, std::io::stdin().lock());
    let mut output = std::io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer = match read(&line) {
            Ok(message) => {
                let answered = match message.method.as_ref() {
                    "initialize" => initialize(&sessions, &message),
                    _ => in_session(&tools, &message, None),
                };
                match answered {
                    Ok(Answered::Message(body) | Answered::Opened(_, body)) => body,
                    Ok(Answered::Accepted) => continue,
                    Err(refusal) => refusal.body(message.request_id()),
                }
            }
            Err(refusal) => refusal.body(None),
        };
        output.write_all(&answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}
