//! What the process finds around it: folder, home, environment and kind of system, so that tests can bring their own.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

/// The systems whose file places differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Os {
    /// Linux and other Unix systems that follow the XDG rules.
    Linux,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// Folder, home, environment and kind of system.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// The current directory, absolute.
    pub(crate) cwd: PathBuf,
    /// The home of the user, if there is one.
    pub(crate) home: Option<PathBuf>,
    /// The environment, as far as it is Unicode.
    pub(crate) variables: HashMap<String, String>,
    /// The kind of system.
    pub(crate) os: Os,
    /// This program, for entries that start it.
    pub(crate) program: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process() -> io::Result<Self> {
        let os = match std::env::consts::OS {
            "macos" => Os::Mac,
            "windows" => Os::Windows,
            _ => Os::Linux,
        };
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Self {
            cwd: std::env::current_dir()?,
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            variables: variables.collect(),
            os,
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("omni")),
        })
    }

    /// A variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where programs keep their configuration: `$XDG_CONFIG_HOME` or the system's own place.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        match self.os {
            Os::Linux => self.absolute("XDG_CONFIG_HOME").or_else(|| Some(self.home.as_ref()?.join(".config"))),
            Os::Mac => Some(self.home.as_ref()?.join("Library/Application Support")),
            Os::Windows => self.absolute("APPDATA").or_else(|| Some(self.home.as_ref()?.join("AppData/Roaming"))),
        }
    }

    /// `$XDG_CONFIG_HOME` or `~/.config` on every system: where our own file is looked for.
    pub(crate) fn own_config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| Some(self.home.as_ref()?.join(".config")))
    }

    /// `$XDG_DATA_HOME` or `~/.local/share`.
    pub(crate) fn data_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_DATA_HOME").or_else(|| Some(self.home.as_ref()?.join(".local/share")))
    }

    /// A variable with an absolute path; the XDG rules say to ignore relative ones.
    fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
impl Surroundings {
    /// A home and a folder in it, no variables.
    pub(crate) fn of_test(home: &std::path::Path, cwd: &std::path::Path) -> Self {
        Self {
            cwd: cwd.to_owned(),
            home: Some(home.to_owned()),
            variables: HashMap::new(),
            os: Os::Linux,
            program: PathBuf::from("/opt/omni/bin/omni"),
        }
    }

    /// The same with a variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
}
