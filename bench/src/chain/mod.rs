//! What the chain costs a call: CPU of a hub that logs in, decides and checks, against one that does none of it, in turns.

mod issuer;
mod settings;

use crate::chain::issuer::Issuer;
use crate::process::CpuTime;
use crate::started::{Running, hub, median, upstream};
use anyhow::{Context, ensure};
use clap::Args;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

/// The chain may cost so much a call, in µs of CPU.
const CHAIN_US_MAX: f64 = 10.0;
/// A token that was never seen may cost so much more.
const TOKEN_US_MAX: f64 = 100.0;
/// Calls before the first turn is measured.
const WARM_UP: usize = 2_000;

/// `omni-bench chain`
#[derive(Args)]
pub(crate) struct ChainArgs {
    /// The hub
    #[arg(long, value_name = "PROGRAM")]
    omni: PathBuf,
    /// Turns of each kind: many short ones, so that whatever else the machine does falls on neighbours alike
    #[arg(long, default_value_t = 151)]
    rounds: usize,
    /// Calls a turn
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// Rules of the policy
    #[arg(long, default_value_t = 200)]
    rules: usize,
}

/// A hub and a connection to it.
struct Arm {
    process: Running,
    stream: TcpStream,
    address: SocketAddr,
    spent_us: Vec<f64>,
}

/// Prints what was found; an error where a bound does not hold.
pub(crate) fn run(args: &ChainArgs) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let (_server, server) = upstream()?;
    let issuer = Issuer::start()?;
    let start = |config| -> anyhow::Result<Arm> {
        let (process, address) = hub(&args.omni, folder.path(), &config)?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Arm { process, stream, address, spent_us: Vec::new() })
    };
    let mut off = start(settings::off(server))?;
    let with = |reads| settings::on(server, &issuer.address, (args.rules, reads), folder.path());
    let (mut on, mut reading) = (start(with(false)?)?, start(with(true)?)?);
    let [token, other] = [&on, &reading].map(|arm| issuer.token(&arm.resource(), 0));
    off.calls(&[], WARM_UP)?;
    on.calls(std::slice::from_ref(&token), WARM_UP)?;
    reading.calls(std::slice::from_ref(&other), WARM_UP)?;
    let (mut differences, mut fresh, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..args.rounds {
        // Made before the turn, whose CPU is the hub's alone anyway.
        let unseen: Vec<String> =
            (0..args.calls).map(|at| issuer.token(&on.resource(), 1 + round * args.calls + at)).collect();
        // Who goes first changes, so that what drifts weighs on both alike.
        let (without, with) = if round % 2 == 0 {
            let without = off.measure(&[], args.calls)?;
            (without, on.measure(std::slice::from_ref(&token), args.calls)?)
        } else {
            let with = on.measure(std::slice::from_ref(&token), args.calls)?;
            (off.measure(&[], args.calls)?, with)
        };
        differences.push(with - without);
        fresh.push(on.spend(&unseen, args.calls)? - with);
        read.push(reading.spend(std::slice::from_ref(&other), args.calls)? - with);
    }
    report(args, [off.spent_us, on.spent_us, differences, fresh, read])
}

fn report(args: &ChainArgs, [off, on, chain, fresh, read]: [Vec<f64>; 5]) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "µs of the hub's CPU a call; median of {} turns of {} calls (the middle half of the turns)",
        args.rounds, args.calls
    )?;
    let mut row = |what: &str, all: &Vec<f64>, bound: Option<f64>| -> anyhow::Result<bool> {
        let mut sorted = all.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| sorted.get(sorted.len() * quarter / 4).copied().unwrap_or(f64::NAN);
        let (least, most) = (at(1), at(3));
        let middle = median(sorted.clone());
        let verdict = bound.map(|bound| if middle <= bound { "met" } else { "missed" });
        let wanted = bound.map(|bound| format!("  ≤ {bound}")).unwrap_or_default();
        writeln!(out, "{what:<42} {middle:>7.2} ({least:.2} – {most:.2}){wanted} {}", verdict.unwrap_or_default())?;
        Ok(verdict != Some("missed"))
    };
    row("without the chain", &off, None)?;
    row("with it, token seen before", &on, None)?;
    let rules = format!("the chain ({} rules)", args.rules);
    let well =
        [row(&rules, &chain, Some(CHAIN_US_MAX))?, row("a token never seen before, more", &fresh, Some(TOKEN_US_MAX))?];
    row("a rule that reads the arguments, more", &read, None)?;
    ensure!(well.iter().all(|one| *one), "a bound does not hold");
    Ok(())
}

impl Arm {
    fn resource(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// µs of CPU a call, which are also kept.
    fn measure(&mut self, tokens: &[String], calls: usize) -> anyhow::Result<f64> {
        let spent = self.spend(tokens, calls)?;
        self.spent_us.push(spent);
        Ok(spent)
    }

    fn spend(&mut self, tokens: &[String], calls: usize) -> anyhow::Result<f64> {
        let before = CpuTime::of_tree(self.process.pid());
        self.calls(tokens, calls)?;
        let spent = CpuTime::of_tree(self.process.pid()).since_ns(&before);
        Ok(spent as f64 / 1e3 / calls as f64)
    }

    /// Calls one after the other, with the tokens in turn; every answer is looked at.
    fn calls(&mut self, tokens: &[String], calls: usize) -> anyhow::Result<()> {
        for number in 0..calls {
            let token = if tokens.is_empty() { None } else { tokens.get(number % tokens.len()) };
            let text = format!("call {number}");
            let answer = self.call(token.map(String::as_str), &text)?;
            ensure!(answer.contains(&text) && answer.contains("\"isError\":false"), "a wrong answer: {answer}");
        }
        Ok(())
    }

    fn call(&mut self, token: Option<&str>, text: &str) -> anyhow::Result<String> {
        let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"up__echo","arguments":{{"text":"{text}"}},"_meta":{meta}}}}}"#
        );
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: up__echo\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        if let Some(token) = token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        self.stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
        loop {
            let count = self.stream.read(&mut piece)?;
            ensure!(count > 0, "the hub closed the connection: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            let length = length.with_context(|| format!("an answer without a length: {head}"))?;
            if bytes.len() >= end + 4 + length {
                return Ok(String::from_utf8_lossy(&bytes[end + 4..]).into_owned());
            }
        }
    }
}
