//! Starting processes on the CPUs they shall have, and ending them.
//!
//! A child inherits the affinity and the scheduling policy of the thread that starts it. So one thread is put on the
//! gateways' CPUs once and starts them all, and no `taskset` stands in a start that is timed.

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// After SIGTERM a process has so long before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What to start.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Launch {
    /// A program with arguments.
    pub(crate) fn new(program: &Path, args: &[&str]) -> Self {
        Self { program: program.to_owned(), args: args.iter().map(|arg| (*arg).to_owned()).collect(), env: Vec::new() }
    }

    fn command(&self, log: &Path, dies_with_us: bool) -> anyhow::Result<Command> {
        let mut command = if dies_with_us && Path::new("/usr/bin/setpriv").exists() {
            let mut command = Command::new("/usr/bin/setpriv");
            command.args(["--pdeathsig", "TERM", "--"]).arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        let log_file = File::options().create(true).append(true).open(log).context("cannot open a log file")?;
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log_file.try_clone()?).stderr(log_file);
        Ok(command)
    }
}

/// A process of ours; ended when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    /// When it was started.
    pub(crate) since: Instant,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended by itself ({status}): {}", self.log_tail());
        }
        Ok(())
    }

    /// The last it has said.
    pub(crate) fn log_tail(&self) -> String {
        let log = String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    /// Asks it to end, and kills it if it does not in time.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let ended = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)));
        if ended(&mut self.child) {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            if ended(&mut self.child) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a process of the calling thread's CPUs, which dies with this one.
pub(crate) fn start_here(launch: &Launch, log: &Path) -> anyhow::Result<Running> {
    let since = Instant::now();
    let child =
        launch.command(log, true)?.spawn().with_context(|| format!("cannot start {}", launch.program.display()))?;
    Ok(Running { child, log: log.to_owned(), since })
}

/// An order to the launching thread, and where the child goes.
type Order = (Command, SyncSender<std::io::Result<(Child, Instant)>>);

/// The thread that starts gateways.
pub(crate) struct Launcher {
    orders: SyncSender<Order>,
    /// Worker threads a gateway shall have: as many as it has CPUs; `None` leaves it alone.
    pub(crate) threads: Option<usize>,
}

impl Launcher {
    /// A launcher whose children run on `cpus` (all if `None`).
    pub(crate) fn new(cpus: Option<&str>, realtime: bool) -> anyhow::Result<Self> {
        let (orders, taken) = sync_channel::<Order>(1);
        let (ready, is_ready) = sync_channel(1);
        let list = cpus.map(str::to_owned);
        std::thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            let _ = ready.send(settle(list.as_deref(), realtime));
            for (mut command, reply) in taken {
                let start = Instant::now();
                let _ = reply.send(command.spawn().map(|child| (child, start)));
            }
        })?;
        is_ready.recv().context("the launching thread ended")??;
        Ok(Self { orders, threads: cpus.map(|list| list.split(',').count()) })
    }

    /// Starts a process. `timed`: nothing stands before it; otherwise a wrapper sees to it that it dies with this process.
    pub(crate) fn start(&self, launch: &Launch, log: &Path, timed: bool) -> anyhow::Result<Running> {
        let mut command = launch.command(log, !timed)?;
        if let Some(threads) = self.threads {
            command.env("TOKIO_WORKER_THREADS", threads.to_string());
        }
        let (reply, replied) = sync_channel(1);
        self.orders.send((command, reply)).context("the launching thread ended")?;
        let (child, since) = replied
            .recv()
            .context("the launching thread ended")?
            .with_context(|| format!("cannot start {}", launch.program.display()))?;
        Ok(Running { child, log: log.to_owned(), since })
    }
}

/// Puts the calling thread, and so its later children, on `cpus`, and under SCHED_RR if asked.
pub(crate) fn settle(cpus: Option<&str>, realtime: bool) -> anyhow::Result<()> {
    let link = fs::read_link("/proc/thread-self").context("which thread this is")?;
    let thread = link.file_name().and_then(|name| name.to_str()).context("which thread this is")?.to_owned();
    if let Some(cpus) = cpus {
        tool("taskset", &["-pc", cpus, &thread])
            .with_context(|| format!("cannot use CPU {cpus} alone; `--placement free` pins nothing"))?;
    }
    if realtime {
        tool("chrt", &["--rr", "-p", "1", &thread])?;
    }
    Ok(())
}

fn tool(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("cannot run {program}: is util-linux there?"))?;
    ensure!(
        output.status.success(),
        "{program} {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
