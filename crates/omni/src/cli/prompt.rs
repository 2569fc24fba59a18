//! A line typed at the terminal, which does not show it: a signal that ends the command leaves the terminal as it was.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use omni_secrets::{Held, VALUE_BYTES_MAX};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

/// The terminal as it was before, put back when this goes.
struct Silenced(Termios);

impl Silenced {
    fn new() -> Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("the terminal cannot be asked")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent)
            .context("the terminal cannot be kept from showing it")?;
        Ok(Self(before))
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        let _as_it_was = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Asks for a value with `question`.
///
/// # Errors
/// When nothing is typed, a signal ends the wait, or the terminal cannot be silenced.
pub(crate) fn hidden(question: &str) -> Result<Held> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let line = runtime.block_on(async {
        // Whoever is killed by a signal cleans up nothing: so these are waited for, and the terminal is put right first.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut quit = signal(SignalKind::quit())?;
        let silenced = Silenced::new()?;
        eprint!("{question} (not shown): ");
        let _shown_or_not = std::io::stderr().flush();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A thread of its own: it cannot be taken back from its wait, and nothing waits for it.
        std::thread::spawn(move || {
            let mut line = Zeroizing::new(String::with_capacity(VALUE_BYTES_MAX));
            let read = std::io::stdin().read_line(&mut line);
            let _nobody_waits = sender.send(read.map(|_| line));
        });
        let line = tokio::select! {
            line = receiver => line.context("nothing was typed")?.context("nothing was typed")?,
            _ = interrupt.recv() => bail!("interrupted: nothing was put in"),
            _ = terminate.recv() => bail!("asked to end: nothing was put in"),
            _ = hangup.recv() => bail!("the terminal is gone: nothing was put in"),
            _ = quit.recv() => bail!("asked to quit: nothing was put in"),
        };
        drop(silenced);
        Ok(line)
    })?;
    let value = line.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        bail!("nothing was typed: nothing was put in");
    }
    Ok(Held::new(value.to_owned()))
}
